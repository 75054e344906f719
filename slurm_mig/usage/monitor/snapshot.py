"""What the monitor sees at one moment, for whoever shows it: its own table, metrics, others. Pure.

The daemon calls every sink after each round with a new `Snapshot`. A round is made every period
while a job holds a slice; a last one, without jobs and slices, when none does any more. Only
slices that jobs hold are in it: nobody samples the others. A sink must not keep the daemon
waiting; what it raises (OSError, SlurmMigError) is logged and costs only that sink's round.

Unknown is None, never 0. Ratios are 0..1. Times: `taken_s` is Unix seconds; the others are on
CLOCK_BOOTTIME, which nobody sets and which goes on in a suspend.
"""

from collections.abc import Callable
from typing import NamedTuple

ASLEEP, SAMPLING, FAILING, PAUSED = "asleep", "sampling", "failing", "paused"


class ActivityNow(NamedTuple):
    """How busy a GPU instance was between the last two samples, by GPM (Hopper and later).

    Several compute instances of one GPU instance share these figures.
    """

    graphics: float | None
    sm: float | None
    occupancy: float | None
    tensor: float | None
    fp64: float | None
    fp32: float | None
    fp16: float | None
    dram_bandwidth: float | None


class ProcessNow(NamedTuple):
    """A process of the job on a slice. `name` only where [monitor] command_names is on.

    `start_ticks` is its start in clock ticks since boot: with the pid it names it for ever.
    """

    pid: int
    start_ticks: int
    memory_mib: float | None
    name: str | None


class JobNow(NamedTuple):
    """A job that holds slices; what Slurm told the prolog of it. `start_s`: Unix seconds."""

    job_id: int
    record_id: str
    uid: int | None
    user: str | None
    account: str | None
    partition: str | None
    start_s: float | None


class SliceNow(NamedTuple):
    """A slice (MIG device, or a whole GPU: gi_id None) that a job holds, and its last values.

    `name` is gpuG.giI.ciC by the GPU's minor, or gpuG. `sampled_s` is when the values were read
    (CLOCK_BOOTTIME); None: not yet, and all values are None. `memory_mib` is by
    `memory_method` (nvml-memory-info, or nvml-processes where compute instances share the GPU
    instance); `processes` are the job's own, None where they could not be listed.
    `sram_uncorrected` is the driver's counter since it was loaded. `xids` are (xid, count,
    attributed) since the job was first seen; not attributed: it was the whole GPU's.
    `energy_j` is the estimate of what the slice used since then. `gone`: the slice is no more.
    """

    name: str
    gpu_uuid: str
    gpu_minor: int
    gpu_name: str | None
    gi_id: int | None
    ci_id: int | None
    profile: str | None
    type: str
    gres_index: int
    mig_uuid: str | None
    memory_total_mib: int | None
    job_id: int
    sampled_s: float | None = None
    memory_mib: float | None = None
    memory_method: str | None = None
    processes: tuple[ProcessNow, ...] | None = None
    activity: ActivityNow | None = None
    shared_gi: bool | None = None
    sram_uncorrected: int | None = None
    xids: tuple[tuple[int, int, bool], ...] = ()
    energy_j: float | None = None
    gone: bool = False


class GpuNow(NamedTuple):
    """A GPU on which jobs hold slices: all tenants together.

    `gpu_index` is NVML's. `energy_j` is the driver's counter since it was loaded, None where
    this GPU has none. `compute_slices` are all that it can be cut into (7 on most).
    """

    gpu_index: int
    gpu_minor: int
    gpu_uuid: str
    gpu_name: str
    power_w: float | None
    energy_j: float | None
    compute_slices: int | None


class GpuLayout(NamedTuple):
    """How a GPU is cut: GI id, CI id and UUID of each of its instances, whoever holds them."""

    gpu_uuid: str
    mig: bool
    instances: tuple[tuple[int, int, str], ...]


class Snapshot(NamedTuple):
    """All of it. `state` is one of the words above; `why` says why it fails or pauses.

    `rounds` and `failures` count since the daemon began; `round_s` is what the last round took.
    `layout` has all GPUs that NVML told of (layout.py), none while it is not asked.
    """

    taken_s: float
    boottime_s: float
    node: str | None
    period_s: float
    state: str
    why: str | None = None
    rounds: int = 0
    failures: int = 0
    round_s: float | None = None
    gpus: tuple[GpuNow, ...] = ()
    jobs: tuple[JobNow, ...] = ()
    slices: tuple[SliceNow, ...] = ()
    layout: tuple[GpuLayout, ...] = ()


Sink = Callable[[Snapshot], None]
