"""What a check says. Pure."""

from typing import Literal, NamedTuple

# wrong: jobs fail, or reach each other's slices; risky: they may; note: good to know;
# unknown: could not look.
Level = Literal["wrong", "risky", "note", "unknown"]
LEVELS: tuple[Level, ...] = ("wrong", "risky", "note", "unknown")


class Finding(NamedTuple):
    """One thing: `about` what ("SelectType"), what is so, and the line to add or command to run.

    `remedy` is empty where there is nothing to do but know it.
    """

    level: Level
    about: str
    what: str
    remedy: str = ""
