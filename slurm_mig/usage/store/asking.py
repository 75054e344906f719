"""What can be asked of records, and the sums that are answered: shapes only. Pure."""

from typing import NamedTuple

from slurm_mig.usage.store.nouns import Held

WHOLE_GPU = "whole"  # what Filters.profiles calls a slice that is a whole GPU (profile None)


class Filters(NamedTuple):
    """Which records, and which of their slices: all that match every field that is not empty.

    since <= end < until. `users` may be names or uids as text ("1001").
    """

    since: float | None = None
    until: float | None = None
    users: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    job_ids: tuple[int, ...] = ()


class Total(NamedTuple):
    """All slices with the same `key`: its values in the order of `by`.

    A value is None where the record has none (a profile: a whole GPU). A day is "2026-11-24", UTC.

    `jobs` counts different (cluster, job id), `records` jobs by node and restart, `slices` rows
    of `rows`. `slice_hours` sums the time that each slice was held; `hours_unknown` counts slices
    whose time nobody knows (in no sum). `sampled_hours` is what of it was sampled.

    Memory: `memory_mean_share` is the mean of used/owned weighted by sampled time,
    `memory_peak_share` the highest of any slice, `memory_peak_mib` the highest of any slice.
    Activity means are weighted by the time sampled, over slices that had their GPU instance to
    themselves; `activity_hours` is how much time stands behind them.
    `idle_hours` is time without any process of the job on the slice, at least (a lower bound from
    the mean number of processes), of the `processes_hours` for which processes are known.
    `energy_joules` is an estimate, over the `energy_hours` of slices that have one.
    None: nothing known.
    """

    key: tuple[str | None, ...]
    jobs: int
    records: int
    slices: int
    slice_hours: float
    hours_unknown: int
    sampled_hours: float
    memory_mean_share: float | None
    memory_peak_share: float | None
    memory_peak_mib: float | None
    graphics_mean: float | None
    sm_mean: float | None
    tensor_mean: float | None
    dram_bandwidth_mean: float | None
    activity_hours: float
    idle_hours: float | None
    processes_hours: float
    energy_joules: float | None
    energy_hours: float


class Sizing(NamedTuple):
    """The slices of one profile of which the same is said (report/sizing.py's Advice).

    `uncertain` counts those in doubt, `by_memory_only` those whose activity is not known;
    `period_s` is the longest time between two samples that any of them was measured with.
    """

    gpu_name: str | None
    profile: str | None
    verdict: str
    would_do: str | None
    slices: int
    slice_hours: float
    uncertain: int
    by_memory_only: int
    period_s: float | None


class IdleRows(NamedTuple):
    """Slices that were held and hardly used: how many, and some that were held longest.

    Of equally long ones the first in the order of rows.
    """

    slices: int
    longest: tuple[Held, ...]
