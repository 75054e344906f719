"""`FakePartitionNvml`: a machine of fakes.py whose GPUs can also be partitioned.

Held to tests/contract/test_nvml_partition.py, as the real adapter. It knows few rules: nothing
overlaps, nothing busy is destroyed, MIG mode changes on empty GPUs only.
"""

from dataclasses import dataclass, field, replace

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.nvml.ci_choice import CiProfile, choose
from slurm_mig.gpu.nvml.codes import (
    IN_USE,
    INSUFFICIENT_RESOURCES,
    INVALID_ARGUMENT,
    NO_PERMISSION,
    NOT_FOUND,
    NOT_SUPPORTED,
    nvml_error,
)
from slurm_mig.gpu.nvml.partition_port import PciIds
from slurm_mig.gpu.nvml.port import GpuInfo
from slurm_mig.gpu.partitioning import CiSpec, GiProfile, LiveCi, LiveGi
from slurm_mig.gpu.profile import parse
from slurm_mig.model import CiId, GiId, GpuIndex, MigMode, Placement, ProfileId
from tests.fakes import FakeGpu, FakeNvml, FakeSlice, info_of

_H100_SXM = PciIds(0x233010DE, 0x16C110DE)


@dataclass
class FakePartitionGpu(FakeGpu):
    """A GPU and what it offers. `ci_profiles` are by the GPU instance's profile_id."""

    profiles: tuple[GiProfile, ...] = ()
    ci_profiles: dict[int, tuple[CiProfile, ...]] = field(default_factory=dict)
    needs_reset: bool = False
    pci: PciIds = _H100_SXM
    busy: set[int] = field(default_factory=set)  # gi_ids with a process on them
    clients: int = 0  # that hold the whole GPU

    @property
    def mode(self) -> MigMode:
        """Its MIG mode. AssertionError where it cannot do MIG."""
        assert self.slices is not None
        return self.mig_mode or MigMode(bool(self.slices), bool(self.slices))

    def offer(self, profile_id: int) -> GiProfile | None:
        """The GPU instance profile of that number."""
        return next((one for one in self.profiles if one.profile_id == profile_id), None)


@dataclass
class FakePartitionNvml(FakeNvml):
    """`PartitionNvml` over a machine of FakePartitionGpus."""

    def gpu_count(self) -> int:
        self._called("gpu_count")
        return len(self.machine)

    def gpu(self, gpu_index: GpuIndex) -> GpuInfo:
        self._called("gpu")
        return info_of(gpu_index, self._gpu(gpu_index))

    def pci_ids(self, gpu_index: GpuIndex) -> PciIds:
        self._called("pci_ids")
        return self._part(gpu_index).pci

    def mode_needs_reset(self, gpu_index: GpuIndex) -> bool:
        self._called("mode_needs_reset")
        return self._part(gpu_index).needs_reset

    def profiles(self, gpu_index: GpuIndex) -> tuple[GiProfile, ...]:
        self._called("profiles")
        gpu = self._part(gpu_index)
        if gpu.slices is None:
            return ()
        if not gpu.mode.current:
            return tuple(profile._replace(placements=()) for profile in gpu.profiles)
        self._must_be_root(gpu_index)
        return gpu.profiles

    def live_instances(self, gpu_index: GpuIndex) -> tuple[LiveGi, ...]:
        self._called("live_instances")
        gpu = self._part(gpu_index)
        if gpu.slices:
            self._must_be_root(gpu_index)
        return tuple(
            LiveGi(GiId(one.gi_id), one.profile, Placement(one.start, one.size), _by_start(one))
            for one in sorted(gpu.slices or (), key=lambda one: one.start)
        )

    def set_mig_mode(self, gpu_index: GpuIndex, on: bool) -> MigMode:
        self._called("set_mig_mode")
        gpu = self._part(gpu_index)
        if gpu.slices is None:
            raise _refusal(gpu_index, NOT_SUPPORTED)
        self._must_be_root(gpu_index)
        gpu.mig_mode = gpu.mode._replace(pending=on)
        if gpu.mode.current != on:
            if gpu.slices or gpu.busy or gpu.clients:
                raise _refusal(gpu_index, IN_USE)
            if not gpu.needs_reset:
                gpu.mig_mode = MigMode(on, on)
        return gpu.mode

    def create_gi(self, gpu_index: GpuIndex, profile_id: ProfileId, placement: Placement) -> GiId:
        self._called("create_gi")
        gpu = self._on(gpu_index)
        slices = gpu.slices or ()
        offer = gpu.offer(profile_id)
        if offer is None or placement not in offer.placements:
            raise _refusal(gpu_index, INVALID_ARGUMENT)
        if not slices and gpu.clients:
            raise _refusal(gpu_index, IN_USE)
        if any(_overlap(placement, one) for one in slices):
            raise _refusal(gpu_index, INSUFFICIENT_RESOURCES)
        gi_id = next(number for number in range(15) if number not in _ids(gpu))
        made = FakeSlice(
            offer.profile, *placement, gi_id, (), offer.memory_mib, profile_id=profile_id
        )
        gpu.slices = (*slices, made)
        return GiId(gi_id)

    def create_ci(self, gpu_index: GpuIndex, gi_id: GiId, spec: CiSpec) -> CiId:
        self._called("create_ci")
        gpu, gi = self._gi(gpu_index, gi_id)
        profile = choose(gpu.ci_profiles[gi.profile_id], spec)
        if profile is None:
            raise _refusal(gpu_index, NOT_SUPPORTED)
        used = {unit for ci in gi.cis for unit in _units(ci)}
        room = set(range(parse(gi.profile).gi_slices)) - used
        for start in range(8) if spec.start is None else [spec.start]:
            if room >= set(range(start, start + profile.slices)):
                break
        else:
            raise _refusal(gpu_index, INSUFFICIENT_RESOURCES)
        ci_id = next(number for number in range(8) if number not in {ci.ci_id for ci in gi.cis})
        made = LiveCi(
            CiId(ci_id), CiSpec(profile.name, profile.ci_profile_id, start), profile.sm_count
        )
        self._put(gpu, gi, (*gi.cis, made))
        return CiId(ci_id)

    def destroy_ci(self, gpu_index: GpuIndex, gi_id: GiId, ci_id: CiId) -> None:
        self._called("destroy_ci")
        gpu, gi = self._gi(gpu_index, gi_id)
        left = tuple(ci for ci in gi.cis if ci.ci_id != ci_id)
        if len(left) == len(gi.cis):
            raise _refusal(gpu_index, NOT_FOUND)
        if gi_id in gpu.busy:
            raise _refusal(gpu_index, IN_USE)
        self._put(gpu, gi, left)

    def destroy_gi(self, gpu_index: GpuIndex, gi_id: GiId) -> None:
        self._called("destroy_gi")
        gpu, gi = self._gi(gpu_index, gi_id)
        if gi.compute or gi_id in gpu.busy:
            raise _refusal(gpu_index, IN_USE)
        gpu.slices = tuple(one for one in gpu.slices or () if one is not gi)

    @staticmethod
    def _put(gpu: FakePartitionGpu, gi: FakeSlice, cis: tuple[LiveCi, ...]) -> None:
        changed = replace(
            gi,
            compute=tuple((ci.spec.ci_profile, ci.sm_count) for ci in cis),
            ci_ids=tuple(ci.ci_id for ci in cis),
            ci_starts=tuple(ci.spec.start or 0 for ci in cis),
            ci_profile_ids=tuple(ci.spec.ci_profile_id or 0 for ci in cis),
        )
        gpu.slices = tuple(changed if one is gi else one for one in gpu.slices or ())

    def _part(self, gpu_index: GpuIndex) -> FakePartitionGpu:
        gpu = self._gpu(gpu_index)
        assert isinstance(gpu, FakePartitionGpu)
        return gpu

    def _on(self, gpu_index: GpuIndex) -> FakePartitionGpu:
        gpu = self._part(gpu_index)
        if gpu.slices is None or not gpu.mode.current:
            raise _refusal(gpu_index, NOT_SUPPORTED)
        self._must_be_root(gpu_index)
        if gpu.mig_mode is None:  # from now on it stays on, also without instances
            gpu.mig_mode = gpu.mode
        return gpu

    def _gi(self, gpu_index: GpuIndex, gi_id: GiId) -> tuple[FakePartitionGpu, FakeSlice]:
        gpu = self._on(gpu_index)
        for one in gpu.slices or ():
            if one.gi_id == gi_id:
                return gpu, one
        raise _refusal(gpu_index, NOT_FOUND)

    def _must_be_root(self, gpu_index: GpuIndex) -> None:
        if not self.root_user:
            raise _refusal(gpu_index, NO_PERMISSION)


def _refusal(gpu_index: GpuIndex, code: int) -> NvmlError:
    return nvml_error(f"GPU {gpu_index}", code, "refused")


def _ids(gpu: FakePartitionGpu) -> set[int]:
    return {one.gi_id for one in gpu.slices or ()}


def _overlap(placement: Placement, one: FakeSlice) -> bool:
    end = placement.start + placement.size
    return placement.start < one.start + one.size and one.start < end


def _units(ci: LiveCi) -> range:
    start = ci.spec.start or 0
    return range(start, start + parse(ci.spec.ci_profile).ci_slices)


def _by_start(gi: FakeSlice) -> tuple[LiveCi, ...]:
    return tuple(sorted(gi.cis, key=lambda ci: ci.spec.start or 0))
