"""Host lists in Slurm's own order, each name as often as it is there. Pure.

NodeName=, NodeAddr=, NodeHostname= and Port= of one line belong together by their places, so a
set of names (slurm_mig.slurm.fold) will not do.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import product

LIMIT = 65536  # names; more is a slip of the pen
_PIECE = re.compile(r"\[([0-9,-]+)\]|([^\[\],\s]+)")
_RANGE = re.compile(r"(\d{1,18})(?:-(\d{1,18}))?")
_NUMBERED = re.compile(r"(.*?)(\d{1,18})", re.DOTALL)


def expand(host_list: str) -> list[str]:
    """The names: "n[3,1-2],m" -> n3 n1 n2 m. Raises ValueError where Slurm would read otherwise."""
    names: list[str] = []
    for part in _parts(host_list):
        names += _names(part, host_list, LIMIT - len(names))
    return names


def fold(names: Sequence[str]) -> str:
    """The host list that expands to these names in this order."""
    parts: list[tuple[str, list[list[str]]]] = []
    for name in names:
        found = _NUMBERED.fullmatch(name)
        if found is None:
            parts.append((name, []))
            continue
        prefix, number = found.groups()
        if not parts or parts[-1][0] != prefix or not parts[-1][1]:
            parts.append((prefix, []))
        runs = parts[-1][1]
        if runs and _next(runs[-1][-1], runs[-1][0]) == number:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(_text(prefix, runs) for prefix, runs in parts)


def _parts(host_list: str) -> Iterator[str]:
    """What stands between the commas that are outside of brackets."""
    at, part = 0, ""
    while at < len(host_list):
        piece = _PIECE.match(host_list, at)
        if piece is None and (host_list[at] != "," or not part):
            break
        if piece is None:
            yield part
            at, part = at + 1, ""
        else:
            at, part = piece.end(), part + piece[0]
    if at < len(host_list) or not part:
        raise ValueError(f"not a host list: {host_list}")
    yield part


def _names(part: str, host_list: str, room: int) -> list[str]:
    pieces: list[list[str]] = []
    count = 1
    for ranges, word in _PIECE.findall(part):
        pieces.append(_numbers(ranges, host_list, room) if ranges else [word])
        count *= len(pieces[-1])
    if "[" in part and not part.endswith("]"):
        raise ValueError(f"not a host list: {host_list} (a name must end in its number)")
    if count > room:
        raise ValueError(f"more than {LIMIT} names: {host_list}")
    return ["".join(chosen) for chosen in product(*pieces)]


def _numbers(ranges: str, host_list: str, room: int) -> list[str]:
    numbers: list[str] = []
    for text in ranges.split(","):
        found = _RANGE.fullmatch(text)
        if found is None:
            raise ValueError(f"not a host list: {host_list}")
        first, last = found[1], found[2] or found[1]
        if int(last) < int(first) or (last[0] == "0" and len(last) != len(first)):
            raise ValueError(f"not a host list: {host_list}")
        if int(last) - int(first) >= room:
            raise ValueError(f"more than {LIMIT} names: {host_list}")
        numbers += [f"{n:0{len(first)}}" for n in range(int(first), int(last) + 1)]
    return numbers


def _next(number: str, first: str) -> str:
    return f"{int(number) + 1:0{len(first)}}"


def _text(prefix: str, runs: list[list[str]]) -> str:
    ranges = [run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    if not ranges or (len(ranges) == 1 and "-" not in ranges[0]):
        return prefix + "".join(ranges)
    return f"{prefix}[{','.join(ranges)}]"
