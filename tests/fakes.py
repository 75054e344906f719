"""Backends that stand in for the outside world, each held to its real adapter's contract tests.

`FakeNvml` (tests/contract/test_nvml.py): a machine with GPUs as a test describes them.
Its other half, which can be partitioned, is in fake_partition.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.nvml.codes import GPU_IS_LOST, INVALID_ARGUMENT, nvml_error
from slurm_mig.gpu.nvml.port import GiInfo, GpuInfo, MigInfo
from slurm_mig.gpu.partitioning import CiSpec, LiveCi
from slurm_mig.gpu.profile import parse
from slurm_mig.model import (
    CiId,
    GiId,
    GpuIndex,
    GpuMinor,
    MigIndex,
    MigMode,
    Placement,
    ProfileId,
)

A100 = "NVIDIA A100-SXM4-40GB"
H100 = "NVIDIA H100 80GB HBM3"


@dataclass(frozen=True)
class FakeSlice:
    """One GPU instance, and the (profile, SMs) of its compute instances; without any, empty."""

    profile: str
    start: int
    size: int
    gi_id: int
    compute: tuple[tuple[str, int], ...]
    memory_mib: int
    profile_id: int = 19
    ci_ids: tuple[int, ...] = ()  # of `compute`; (): counted from 0
    ci_starts: tuple[int, ...] = ()  # of `compute`; (): one after the other
    ci_profile_ids: tuple[int, ...] = ()  # of `compute`; (): the slices less one

    @property
    def cis(self) -> tuple[LiveCi, ...]:
        """Its compute instances, by their ci_id."""
        slices = [parse(name).ci_slices for name, _ in self.compute]
        ids = self.ci_ids or range(len(slices))
        starts = self.ci_starts or [sum(slices[:number]) for number in range(len(slices))]
        profile_ids = self.ci_profile_ids or [count - 1 for count in slices]
        parts = zip(ids, self.compute, profile_ids, starts, strict=True)
        found = (
            LiveCi(CiId(ci_id), CiSpec(name, profile_id, start), sm_count)
            for ci_id, (name, sm_count), profile_id, start in parts
        )
        return tuple(sorted(found, key=lambda ci: ci.ci_id))


def slice_of(profile: str, start: int, size: int, gi_id: int, *compute: str) -> FakeSlice:
    """A GPU instance with one compute instance of all of it, unless `compute` names others.

    Memory and SMs are round numbers: 1000 MiB for every GB in the name, 16 SMs a slice.
    """
    names = compute or (profile,)
    sizes = tuple((name, 16 * parse(name).ci_slices) for name in names)
    return FakeSlice(profile, start, size, gi_id, sizes, 1000 * parse(profile).memory_gb)


def empty(profile: str, start: int, size: int, gi_id: int) -> FakeSlice:
    """A GPU instance without a compute instance."""
    return FakeSlice(profile, start, size, gi_id, (), 1000 * parse(profile).memory_gb)


@dataclass
class FakeGpu:
    """A GPU. `slices` None: it cannot do MIG; (): MIG is off; with slices: MIG is on."""

    slices: tuple[FakeSlice, ...] | None = ()
    name: str = H100
    memory_mib: int = 81559
    minor: int | None = None  # None: the same as gpu_index
    mig_mode: MigMode | None = None  # None: on when there are slices
    mig_gaps: frozenset[int] = frozenset()  # slots of the list of MIG devices left empty
    near: frozenset[int] | None = None
    lost: bool = False  # off the bus


@dataclass
class FakeNvml:
    """NVML over `machine`. `failing`: method name -> the error that it raises."""

    machine: Sequence[FakeGpu] = ()
    root_user: bool = True
    failing: dict[str, NvmlError] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def driver_version(self) -> str:
        self._called("driver_version")
        return "570.86.15"

    def gpus(self) -> tuple[GpuInfo, ...]:
        self._called("gpus")
        indices = [GpuIndex(number) for number in range(len(self.machine))]
        return tuple(info_of(index, self._gpu(index)) for index in indices)

    def near_cpus(self, gpu_index: GpuIndex) -> frozenset[int] | None:
        self._called("near_cpus")
        return self._gpu(gpu_index).near

    def mig_devices(self, gpu_index: GpuIndex) -> tuple[MigInfo, ...]:
        self._called("mig_devices")
        gpu = self._gpu(gpu_index)
        slots = (slot for slot in range(100) if slot not in gpu.mig_gaps)
        parts = ((slice_, ci) for slice_ in gpu.slices or () for ci in slice_.cis)
        return tuple(
            _mig(gpu_index, slot, slice_, ci)
            for slot, (slice_, ci) in zip(slots, parts, strict=False)
        )

    def gpu_instances(self, gpu_index: GpuIndex) -> tuple[GiInfo, ...] | None:
        self._called("gpu_instances")
        gpu = self._gpu(gpu_index)
        if not self.root_user:
            return None
        found = (
            GiInfo(GiId(s.gi_id), s.profile, ProfileId(s.profile_id), Placement(s.start, s.size))
            for s in gpu.slices or ()
        )
        return tuple(sorted(found, key=lambda gi: gi.gi_id))

    def _called(self, method: str) -> None:
        self.calls.append(method)
        if method in self.failing:
            raise self.failing[method]

    def _gpu(self, gpu_index: GpuIndex) -> FakeGpu:
        where = f"GPU {gpu_index}"
        if not 0 <= gpu_index < len(self.machine):
            raise nvml_error(where, INVALID_ARGUMENT, "Invalid Argument")
        if self.machine[gpu_index].lost:
            raise nvml_error(where, GPU_IS_LOST, "GPU is lost")
        return self.machine[gpu_index]


def info_of(gpu_index: GpuIndex, gpu: FakeGpu) -> GpuInfo:
    """The GPU as the port tells it."""
    on = bool(gpu.slices)
    able = gpu.slices is not None
    return GpuInfo(
        gpu_index=gpu_index,
        gpu_minor=GpuMinor(gpu_index if gpu.minor is None else gpu.minor),
        uuid=f"GPU-00000000-0000-0000-0000-{gpu_index:012d}",
        name=gpu.name,
        pci_bus_id=f"00000000:{7 + gpu_index:02X}:00.0",
        memory_mib=gpu.memory_mib,
        mig_mode=(gpu.mig_mode or MigMode(on, on)) if able else None,
    )


def _mig(gpu_index: int, slot: int, slice_: FakeSlice, ci: LiveCi) -> MigInfo:
    size = parse(ci.spec.ci_profile)
    return MigInfo(
        mig_index=MigIndex(slot),
        uuid=f"MIG-00000000-0000-{gpu_index:04d}-{slice_.gi_id:04d}-{ci.ci_id:012d}",
        profile=ci.spec.ci_profile,
        gi_id=GiId(slice_.gi_id),
        ci_id=ci.ci_id,
        memory_mib=slice_.memory_mib,
        sm_count=ci.sm_count,
        gi_slices=size.gi_slices,
        ci_slices=size.ci_slices,
    )
