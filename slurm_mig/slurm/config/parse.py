"""gres.conf as Slurm's own parser reads it: keys in any case, comments, continued lines."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from slurm_mig.slurm.config.lines import ConfError, Joined, joined, pairs

__all__ = ["ConfError", "ConfLine", "parse"]

_INCLUDE = re.compile(r"\s*include\s", re.IGNORECASE)
_KEYS = {
    *("autodetect", "count", "cores", "cpus", "file", "files", "flags", "link", "links"),
    *("multiplefiles", "name", "nodename", "type"),
}


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
    return [_line(whole) for whole in joined(text)]


def _line(line: Joined) -> ConfLine:
    if _INCLUDE.match(line.text):
        raise ConfError(f"line {line.last}: includes another file; check that one by itself")
    values: dict[str, str] = {}
    for key, value in pairs(line):
        if key.lower() not in _KEYS:
            raise ConfError(f"line {line.last}: gres.conf has no key {key!r}")
        values[key.lower()] = value
    return ConfLine(line.last, values.pop("nodename", None), values)
