"""What the metrics are made of, besides the monitor's snapshot. Pure."""

from typing import NamedTuple

EXACT, DIFFERS, UNKNOWN = "exact", "differs", "unknown"


class MapSlice(NamedTuple):
    """A slice, or whole GPU (`gi_id` None), as the node's gres map has it."""

    gpu_index: int
    gpu_minor: int
    gpu_uuid: str
    gpu_name: str
    type: str
    gres_index: int
    gi_id: int | None
    ci_id: int | None
    profile: str | None
    mig_uuid: str | None
    memory_mib: int | None


class MapState(NamedTuple):
    """The gres map of the node.

    `stale`: it is missing, damaged, or of another boot or partitioning, so hooks refuse jobs;
    None where that could not be looked at. `gres_conf_changed`: gres.conf is not as it was when
    the map was made; None where the map does not say how it was. A stale map has no slices.
    """

    stale: bool | None = None
    gres_conf_changed: bool | None = None
    slices: tuple[MapSlice, ...] = ()


class Tally(NamedTuple):
    """Sums over the records of this month's file on this node.

    `leftovers` are processes that epilogs had to end. `device_checks` counts the records by what
    was found when somebody looked at which slices the job could open: exact, differs, unknown.
    """

    records: int = 0
    leftovers: int = 0
    repartitioned: int = 0
    exact: int = 0
    differs: int = 0
    unknown: int = 0
