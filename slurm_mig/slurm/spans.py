"""Where the values of one line of a file of Slurm's stand in its text, byte for byte. Pure.

The line may go over several (a backslash at the end), with comments in between.
"""

from typing import NamedTuple

from slurm_mig.slurm.lines import PAIR, SPACES, comment_start

NEWLINE = "\n"


class Span(NamedTuple):
    """One KEY=VALUE: its value is raw[start:end], inside the quotes where it has some.

    `after` is where the pair ends. `whole`: the value stands in the file as Slurm reads it,
    without escapes, not over a line's end. `operator`: one of - + * / before the "=".
    """

    key: str
    value: str
    start: int
    end: int
    after: int
    whole: bool
    operator: bool


def spans(raw: str) -> list[Span]:
    """The pairs of one line, in its order; as far as Slurm can read it."""
    text, places = _seen(raw)
    found, at = [], 0
    while (pair := PAIR.match(text, at)) is not None:
        group = 2 if pair[2] is not None else 3
        start, end = _place(raw, places, pair.start(group), pair.end(group))
        after = end + 1 if group == 2 else end
        operator = text[pair.end(1) : pair.start(group)].strip(SPACES + '"') != "="
        whole = raw[start:end] == pair[group]
        found.append(Span(pair[1], pair[group], start, end, after, whole, operator))
        at = pair.end()
    return found


def ends_open(raw: str) -> bool:
    """Whether the last of its lines ends with a backslash: what follows would belong to it."""
    last = raw.removesuffix(NEWLINE).rpartition(NEWLINE)[2]
    return _bare(last)[1]


def _place(raw: str, places: list[int], start: int, end: int) -> tuple[int, int]:
    if start == end:  # "": between its quotes
        return places[start - 1] + 1, places[start - 1] + 1
    first = places[start]
    escaped = raw[first - 1] == "\\"
    return first - escaped, places[end - 1] + 1


def _seen(raw: str) -> tuple[str, list[int]]:
    """The line as Slurm sees it, and where each of its characters stands in `raw`."""
    joined: list[int] = []
    offset = 0
    for line in raw.split(NEWLINE):
        bare, _ = _bare(line)
        joined += range(offset, offset + len(bare))
        offset += len(line) + 1
    kept, escaped = [], False
    for at in joined:
        escaped = raw[at] == "\\" and not escaped
        if not escaped:
            kept.append(at)
    return "".join(raw[at] for at in kept), kept


def _bare(line: str) -> tuple[str, bool]:
    """Without its comment and the backslash that continues it; whether it had that one."""
    bare = line[: comment_start(line)].rstrip(SPACES)
    continued = (len(bare) - len(bare.rstrip("\\"))) % 2 == 1
    return (bare[:-1] if continued else bare), continued
