"""The port's third part: what the monitor asks of NVML about slices that are in use.

Behind it stands nvidia-ml-py (usage_adapter.py) or, in tests, a fake held to the same contract.
What a GPU or driver cannot tell is None; what failed is NvmlError.
"""

from typing import NamedTuple, Protocol

from slurm_mig.gpu.nvml.port import GpuInfo, MigInfo
from slurm_mig.model import CiId, GiId, GpuIndex, MigIndex

# What GPM is asked for, in this order: NVML's metric ids (nvml.h, nvmlGpmMetricId_t).
GPM_METRICS = {
    "graphics": 1,
    "sm": 2,
    "occupancy": 3,
    "tensor": 5,
    "fp64": 11,
    "fp32": 12,
    "fp16": 13,
    "dram_bandwidth": 10,
}


class Place(NamedTuple):
    """A MIG device by its slot in NVML's list, or a whole GPU (`mig_index` None)."""

    gpu_index: GpuIndex
    mig_index: MigIndex | None


class UsedBy(NamedTuple):
    """A process on a GPU; gi_id and ci_id None: on the whole of it."""

    pid: int
    gi_id: GiId | None
    ci_id: CiId | None
    memory_mib: float | None


class GpuEvent(NamedTuple):
    """An Xid error (`xid`), or (`xid` None) a change of a GPU's instances.

    gi_id and ci_id are None where the driver could not attribute it.
    """

    gpu_index: GpuIndex
    xid: int | None
    gi_id: GiId | None
    ci_id: CiId | None


class UsageNvml(Protocol):
    """An open NVML session that measures. Every method raises NvmlError when NVML fails.

    MIG handles and GPM samples are kept until the session ends: whoever sees that a GPU's
    instances changed ends it, and opens another.
    """

    def gpu_count(self) -> int:
        """How many GPUs there are, those off the bus too."""

    def gpu(self, gpu_index: GpuIndex) -> GpuInfo:
        """One of them, though another be off the bus."""

    def mig_devices(self, gpu_index: GpuIndex) -> tuple[MigInfo, ...]:
        """The MIG devices of a GPU by mig_index, which may have gaps; none without MIG."""

    def compute_slices(self, gpu_index: GpuIndex) -> int | None:
        """Into how many compute slices the GPU can be cut: 7 on most, 4 on some."""

    def memory_used_mib(self, place: Place) -> float:
        """Of a MIG device its GPU instance's; with what the driver keeps on an idle one."""

    def sram_uncorrected(self, place: Place) -> int | None:
        """Uncorrectable errors of the SRAM since the driver was loaded."""

    def processes(self, gpu_index: GpuIndex) -> tuple[UsedBy, ...]:
        """All that compute or draw on a GPU or its slices."""

    def energy_mj(self, gpu_index: GpuIndex) -> int | None:
        """What the whole GPU used since the driver was loaded."""

    def power_w(self, gpu_index: GpuIndex) -> float | None:
        """What the whole GPU draws."""

    def has_gpm(self, gpu_index: GpuIndex) -> bool:
        """Whether it counts activity (Hopper and later)."""

    def gpm_sample(
        self, gpu_index: GpuIndex, gi_id: GiId | None, old: object | None = None
    ) -> object:
        """Counters of a GPU instance, or of a GPU without MIG. `old` is one to be overwritten."""

    def gpm_between(self, first: object, second: object) -> tuple[float | None, ...]:
        """Ratios 0..1 in the order of GPM_METRICS, for the time between two samples.

        None for what is not told, as where they are less than 100 ms apart.
        """

    def watch(self, gpu_indices: tuple[GpuIndex, ...]) -> frozenset[GpuIndex]:
        """Hear of events on these GPUs from now on; those of them that have any."""

    def events(self) -> tuple[GpuEvent, ...]:
        """What happened since the last call; waits for nothing."""
