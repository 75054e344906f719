"""What a report knows of a record: plain tuples, the same from a record's line and the database.

Named as in the record (slurm_mig/usage/record.py); what lies deeper there is flat here. None:
not known, never 0. Times are Unix seconds, ratios 0 to 1. Pure.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Job(NamedTuple):
    """One job on one node. A job of several nodes, or one requeued, has several of these.

    `device_check` is its result only: "exact", "differs", "unknown", or None (nobody looked).
    """

    record_id: str
    version: int
    job_id: int
    restarts: int | None
    uid: int | None
    user: str | None
    account: str | None
    partition: str | None
    cluster: str | None
    node: str | None
    start: float | None
    end: float | None
    duration_s: float | None
    exit_code: int | None
    signal: int | None
    exit_unknown_why: str | None
    complete: bool | None
    leftovers: int | None
    device_check: str | None


class Slice(NamedTuple):
    """One slice of that job; `position` counts from 0 as in the record.

    A whole GPU has no profile (None). From `period_s` on it is what was sampled: all None where
    nothing was. `activity_shared_gi`: the activities are those of the GPU instance, which other
    jobs shared. `xids` counts all, attributed or not.
    """

    position: int
    gpu_uuid: str | None
    gpu_minor: int | None
    gpu_name: str | None
    type: str | None
    gres_index: int | None
    gi_id: int | None
    ci_id: int | None
    profile: str | None
    placement_start: int | None
    placement_size: int | None
    mig_uuid: str | None
    memory_mib: int | None
    sm_count: int | None
    boot_id: str | None
    generation: int | None
    repartitioned: bool | None
    period_s: float | None
    samples: int | None
    sampled_s: float | None
    coverage: float | None
    gaps: int | None
    gap_s: float | None
    memory_method: str | None
    memory_min_mib: float | None
    memory_mean_mib: float | None
    memory_peak_mib: float | None
    processes_mean: float | None
    processes_peak: int | None
    activity_shared_gi: bool | None
    activity_sampled_s: float | None
    graphics_mean: float | None
    graphics_max: float | None
    sm_mean: float | None
    sm_max: float | None
    occupancy_mean: float | None
    occupancy_max: float | None
    tensor_mean: float | None
    tensor_max: float | None
    fp64_mean: float | None
    fp64_max: float | None
    fp32_mean: float | None
    fp32_max: float | None
    fp16_mean: float | None
    fp16_max: float | None
    dram_bandwidth_mean: float | None
    dram_bandwidth_max: float | None
    energy_joules: float | None
    energy_share: float | None
    xids: int | None
    ecc_sram_uncorrected: int | None


class Curve(NamedTuple):
    """How a slice was used over time, in buckets of one width from `from_s` of the job's time on.

    As in the record: both lists are of one length, or None; a bucket is None where nothing was
    sampled. Its place among all curves is (record_id, position).
    """

    from_s: float | None
    bucket_s: float
    memory_peak_mib: tuple[float | None, ...] | None
    sm_mean: tuple[float | None, ...] | None


Curves = Mapping[tuple[str, int], Curve]


class Held(NamedTuple):
    """A slice that a job held: what a report has one row of."""

    job: Job
    slice: Slice


class Parsed(NamedTuple):
    """A record, checked: its job and its slices, in order."""

    job: Job
    slices: tuple[Slice, ...]

    def held(self) -> list[Held]:
        """Its rows."""
        return [Held(self.job, one) for one in self.slices]
