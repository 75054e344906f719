"""gres.conf as Slurm's own parser reads it: keys in any case, comments, continued lines."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from slurm_mig.errors import SlurmMigError

_PAIR = re.compile(r"\s*([A-Za-z0-9_.]+)\s*[-*+/]?=\s*(?:\"([^\"]*)\"|(\S+))(?=\s|$)")
_INCLUDE = re.compile(r"\s*include\s", re.IGNORECASE)
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)#.*")
_ESCAPE = re.compile(r"\\(.)")
_KEYS = {
    *("autodetect", "count", "cores", "cpus", "file", "files", "flags", "link", "links"),
    *("multiplefiles", "name", "nodename", "type"),
}


class ConfError(SlurmMigError):
    """A line of gres.conf that Slurm would not read, or that we cannot judge."""


@dataclass(frozen=True, slots=True)
class ConfLine:
    """One line: its number (the last one's, where it was continued) and what it sets.

    Keys are in lower case; `node_names` is the host list of NodeName=, None without one.
    """

    number: int
    node_names: str | None
    values: Mapping[str, str]


def parse(text: str) -> list[ConfLine]:
    """The lines of a gres.conf that set anything. Raises ConfError, which names the line."""
    return [_line(number, whole) for number, whole in _joined(text) if whole.strip()]


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments; a backslash at the end continues a line."""
    start = ""
    number = 0
    for number, raw in enumerate(text.splitlines(), start=1):
        bare = _COMMENT.sub(r"\1", raw).rstrip()
        if (len(bare) - len(bare.rstrip("\\"))) % 2:
            start += bare[:-1]
            continue
        yield number, _ESCAPE.sub(r"\1", start + bare)
        start = ""
    yield number, _ESCAPE.sub(r"\1", start)


def _line(number: int, text: str) -> ConfLine:
    if _INCLUDE.match(text):
        raise ConfError(f"line {number}: includes another file; check that one by itself")
    values: dict[str, str] = {}
    at = 0
    while text[at:].strip():
        pair = _PAIR.match(text, at)
        if pair is None:
            raise ConfError(f"line {number}: Slurm cannot read {text[at:].strip()!r}")
        key = pair[1].lower()
        if key not in _KEYS:
            raise ConfError(f"line {number}: gres.conf has no key {pair[1]!r}")
        values[key] = pair[2] if pair[2] is not None else pair[3]
        at = pair.end()
    return ConfLine(number, values.pop("nodename", None), values)
