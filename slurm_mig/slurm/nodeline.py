"""One NodeName= line of slurm.conf with other `Gres=` for some of its nodes. Pure.

Nodes that get the same stay together on one line; those that keep what they have keep their
line, in which only the lists of nodes grow shorter.
"""

from collections.abc import Iterator, Mapping, Sequence

from slurm_mig.slurm.hostlist import expand, fold
from slurm_mig.slurm.spans import NEWLINE, Span, ends_open, spans

# Lists that run parallel to NodeName=, one place a node; or they hold one value for all.
PARALLEL = ("nodehostname", "nodeaddr", "bcastaddr", "port")
NAMES, GRES = "nodename", "gres"
EMPTY = '""'  # as Slurm reads it: no GRES, whatever NodeName=DEFAULT says


class Unsafe(ValueError):
    """The line cannot be changed safely: what is wrong, each with its remedy."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def with_gres(raw: str, wanted: Mapping[str, str]) -> str:
    """The line, as its bytes in the file, with these values of `Gres=` for these of its nodes.

    `raw` may go over several lines of the file, and becomes several where its nodes part.
    Raises Unsafe.
    """
    found = {span.key.lower(): span for span in spans(raw)}
    _must(_problems(raw, wanted))
    names = expand(found[NAMES].value)
    groups = _groups(names, wanted)
    if len(groups) == 1:
        (value,) = groups
        return raw if value is None else _replaced(raw, _set(raw, found, value))
    _must(_list_problems(raw, found, names))
    pieces = []
    for value, places in groups.items():
        changes = list(_narrowed(found, names, places))
        if value is not None:
            changes += _set(raw, found, value)
        pieces.append(_replaced(raw, changes))
    return _one_below_the_other(pieces)


def per_node(values: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each node of a line with its own share: `values` by their keys in lower case.

    Raises ValueError where a list of the line is none, or not as long as that of its names.
    """
    names = expand(values[NAMES])
    lists = {key: expand(values[key]) for key in PARALLEL if key in values}
    for key, each in lists.items():
        if len(each) not in (1, len(names)):
            raise ValueError(f"{key} has {len(each)} places for {len(names)} nodes")
    for at, name in enumerate(names):
        own = {key: each[at if len(each) > 1 else 0] for key, each in lists.items()}
        yield name, {**values, **own, NAMES: name}


def _groups(names: Sequence[str], wanted: Mapping[str, str]) -> dict[str | None, list[int]]:
    """Value -> places of the nodes that get it; None is for what stays, and comes first."""
    groups: dict[str | None, list[int]] = {}
    if any(name not in wanted for name in names):
        groups[None] = []
    for at, name in enumerate(names):
        groups.setdefault(wanted.get(name), []).append(at)
    return groups


def _problems(raw: str, wanted: Mapping[str, str]) -> Iterator[str]:
    keys = [span.key.lower() for span in spans(raw)]
    for span in spans(raw):
        key = span.key.lower()
        if key not in (NAMES, GRES, *PARALLEL):
            continue
        if keys.count(key) > 1:
            yield f"{span.key}= stands there {keys.count(key)} times: leave one"
        elif span.operator:
            yield f"{span.key}= has an operator before its '=': take it out"
        elif not span.whole:
            yield f"{span.key}= holds a backslash or goes over a line's end: write it plainly"
    if "gresconf" in keys:
        yield "GresConf= stands there, which says what only gres.conf should: take it out"


def _list_problems(raw: str, found: Mapping[str, Span], names: Sequence[str]) -> Iterator[str]:
    if len(set(names)) != len(names):
        yield "NodeName= names a node twice"
    if ends_open(raw):
        yield "it ends with a backslash and nothing after it: take that out"
    for key in PARALLEL:
        if key not in found:
            continue
        span = found[key]
        try:
            count = len(expand(span.value))
        except ValueError as why:
            yield f"{span.key}=: {why}"
            continue
        if count not in (1, len(names)):
            yield f"{span.key}= has {count} places for {len(names)} nodes: it must have one each"


def _must(problems: Iterator[str]) -> None:
    found = list(dict.fromkeys(problems))
    if found:
        raise Unsafe(found)


def _set(raw: str, found: Mapping[str, Span], value: str) -> list[tuple[int, int, str]]:
    if GRES not in found:
        last = max(span.after for span in found.values())
        return [(last, last, f" Gres={value or EMPTY}")]
    span = found[GRES]
    quoted = span.after > span.end
    return [(span.start, span.end, value if quoted else value or EMPTY)]


def _narrowed(
    found: Mapping[str, Span], names: Sequence[str], places: Sequence[int]
) -> Iterator[tuple[int, int, str]]:
    for key in (NAMES, *PARALLEL):
        span = found.get(key)
        if span is None:
            continue
        each = expand(span.value)
        if len(each) == len(names):
            yield span.start, span.end, fold([each[at] for at in places])


def _replaced(raw: str, changes: list[tuple[int, int, str]]) -> str:
    for start, end, text in sorted(changes, reverse=True):
        raw = raw[:start] + text + raw[end:]
    return raw


def _one_below_the_other(pieces: Sequence[str]) -> str:
    """All of them on lines of their own, also where the last line of the file has no end."""
    end = "\r\n" if pieces[0].endswith("\r\n") else NEWLINE
    closed = [piece if piece.endswith(NEWLINE) else piece + end for piece in pieces]
    return "".join([*closed[:-1], pieces[-1]])
