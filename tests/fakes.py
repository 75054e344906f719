"""Backends that stand in for the outside world, each held to its real adapter's contract tests.

`FakeNvml` (tests/contract/test_nvml.py): a machine with GPUs as a test describes them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.nvml_codes import INVALID_ARGUMENT, nvml_error
from slurm_mig.gpu.nvml_port import GiInfo, GpuInfo, MigInfo
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
    """One GPU instance and the profiles of its compute instances (none: it is empty)."""

    profile: str
    start: int
    size: int
    gi_id: int
    compute: tuple[str, ...]


def slice_of(profile: str, start: int, size: int, gi_id: int, *compute: str) -> FakeSlice:
    """A GPU instance with one compute instance of all of it, unless `compute` names others."""
    return FakeSlice(profile, start, size, gi_id, compute or (profile,))


def empty(profile: str, start: int, size: int, gi_id: int) -> FakeSlice:
    """A GPU instance without a compute instance."""
    return FakeSlice(profile, start, size, gi_id, ())


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
        return tuple(self._info(number, gpu) for number, gpu in enumerate(self.machine))

    def near_cpus(self, gpu_index: GpuIndex) -> frozenset[int] | None:
        return self._gpu("near_cpus", gpu_index).near

    def mig_devices(self, gpu_index: GpuIndex) -> tuple[MigInfo, ...]:
        gpu = self._gpu("mig_devices", gpu_index)
        slots = (slot for slot in range(100) if slot not in gpu.mig_gaps)
        parts = ((s, ci_id, ci) for s in gpu.slices or () for ci_id, ci in enumerate(s.compute))
        return tuple(
            _mig(gpu_index, slot, slice_, ci_id, ci)
            for slot, (slice_, ci_id, ci) in zip(slots, parts, strict=False)
        )

    def gpu_instances(self, gpu_index: GpuIndex) -> tuple[GiInfo, ...] | None:
        gpu = self._gpu("gpu_instances", gpu_index)
        if not self.root_user:
            return None
        found = (
            GiInfo(GiId(s.gi_id), s.profile, ProfileId(19), Placement(s.start, s.size))
            for s in gpu.slices or ()
        )
        return tuple(sorted(found, key=lambda gi: gi.gi_id))

    def _called(self, method: str) -> None:
        self.calls.append(method)
        if method in self.failing:
            raise self.failing[method]

    def _gpu(self, method: str, gpu_index: GpuIndex) -> FakeGpu:
        self._called(method)
        if not 0 <= gpu_index < len(self.machine):
            raise nvml_error(f"GPU {gpu_index}", INVALID_ARGUMENT, "Invalid Argument")
        return self.machine[gpu_index]

    @staticmethod
    def _info(number: int, gpu: FakeGpu) -> GpuInfo:
        on = bool(gpu.slices)
        able = gpu.slices is not None
        return GpuInfo(
            gpu_index=GpuIndex(number),
            gpu_minor=GpuMinor(number if gpu.minor is None else gpu.minor),
            uuid=f"GPU-00000000-0000-0000-0000-{number:012d}",
            name=gpu.name,
            pci_bus_id=f"00000000:{7 + number:02X}:00.0",
            memory_mib=gpu.memory_mib,
            mig_mode=(gpu.mig_mode or MigMode(on, on)) if able else None,
        )


@contextmanager
def fake_session(nvml: FakeNvml) -> Iterator[FakeNvml]:
    """`slurm_mig.gpu.nvml.session`, over the fake."""
    yield nvml


def _mig(gpu_index: int, slot: int, slice_: FakeSlice, ci_id: int, profile: str) -> MigInfo:
    size = parse(profile)
    return MigInfo(
        mig_index=MigIndex(slot),
        uuid=f"MIG-00000000-0000-{gpu_index:04d}-{slice_.gi_id:04d}-{ci_id:012d}",
        profile=profile,
        gi_id=GiId(slice_.gi_id),
        ci_id=CiId(ci_id),
        memory_mib=size.memory_gb * 1000,
        sm_count=16 * size.ci_slices,
        gi_slices=size.gi_slices,
        ci_slices=size.ci_slices,
    )
