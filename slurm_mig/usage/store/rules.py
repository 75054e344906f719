"""The rules by which slices are judged, as numbers that the database can go by. Pure.

What they mean is said where they are made (report/sizing.py, report/idle.py).
"""

from typing import NamedTuple


class Shape(NamedTuple):
    """A slice as a share of its GPU: compute slices, memory, and memory units (bandwidth)."""

    profile: str
    compute: int
    memory_mib: float
    units: int


class Ladder(NamedTuple):
    """A slice of a GPU model, and what is smaller than it and of its kind, from the smallest.

    `profile` is as in a record: None for a whole GPU. Where a record tells a slice's memory, that
    counts, not its `own`.
    """

    gpu_name: str
    profile: str | None
    own: Shape
    smaller: tuple[Shape, ...]


class SizingRule(NamedTuple):
    """Whether a smaller slice would have done.

    A slice without a ladder is not judged. `assumed` names the GPU models whose numbers are
    partly not known.
    """

    margin: float
    idle_mib: float
    full: float
    covered: float
    few: int
    ladders: tuple[Ladder, ...]
    assumed: tuple[str, ...]


class IdleRule(NamedTuple):
    """Whether a slice was held and hardly used: means below the last two, sampled for long."""

    least_s: float
    processes: float
    activity: float
