"""The port's other half over nvidia-ml-py: what GPUs offer and hold, and the calls that change it.

Changing needs root and, for the first GPU instance, a GPU that no other client holds.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from ctypes import byref, c_uint
from typing import Any

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.nvml import codes
from slurm_mig.gpu.nvml.adapter import MACHINE, Absent, Pynvml, gpu_name, opened, text_of
from slurm_mig.gpu.nvml.ci_choice import CiProfile, choose
from slurm_mig.gpu.nvml.partition_port import PartitionNvml, PciIds
from slurm_mig.gpu.nvml.port import GpuInfo
from slurm_mig.gpu.partitioning import CiSpec, GiProfile, LiveCi, LiveGi
from slurm_mig.gpu.profile import after_mig
from slurm_mig.model import CiId, GiId, GpuIndex, MigMode, Placement, ProfileId

_SUCCESS = 0
_MAX_PLACES = 64
_MAX_CIS = 64
_MAX_CI_PROFILES = 64
_ALL_ENGINES = 0  # NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED: the only one there is


def partition_session() -> AbstractContextManager[PartitionNvml]:
    """NVML for a partitioning, initialised on entry and shut down on exit. Raises NvmlError."""
    return opened(_PynvmlPartition)


class _PynvmlPartition(Pynvml):
    """`PartitionNvml` over the pynvml module."""

    def __init__(self, pynvml: Any) -> None:  # noqa: ANN401  (a module without types)
        super().__init__(pynvml)
        # What a GPU offers is asked once in a session: no change of instances changes it.
        self._offers: dict[GpuIndex, tuple[Any, ...]] = {}
        self._ci_offers: dict[tuple[GpuIndex, int], tuple[CiProfile, ...]] = {}

    def gpu_count(self) -> int:
        return int(self.ask(MACHINE, self._nv.nvmlDeviceGetCount))

    def gpu(self, gpu_index: GpuIndex) -> GpuInfo:
        return self._gpu(gpu_index)

    def pci_ids(self, gpu_index: GpuIndex) -> PciIds:
        gpu = self._gpu_handle(gpu_index)
        found = self.ask(gpu_name(gpu_index), self._nv.nvmlDeviceGetPciInfo, gpu)
        return PciIds(found.pciDeviceId, found.pciSubSystemId)

    def mode_needs_reset(self, gpu_index: GpuIndex) -> bool:
        gpu, nv = self._gpu_handle(gpu_index), self._nv
        found = self.ask(gpu_name(gpu_index), nv.nvmlDeviceGetArchitecture, gpu)
        return bool(found == nv.NVML_DEVICE_ARCH_AMPERE)

    def profiles(self, gpu_index: GpuIndex) -> tuple[GiProfile, ...]:
        found = (
            GiProfile(
                profile=after_mig(text_of(offer.name)),
                profile_id=ProfileId(offer.id),
                slices=offer.sliceCount,
                memory_mib=offer.memorySizeMB,
                sm_count=offer.multiprocessorCount,
                max_count=offer.instanceCount,
                placements=self._places(gpu_index, offer.id),
            )
            for offer in self._offers_of(gpu_index)
        )
        return tuple(sorted(found, key=lambda profile: profile.profile_id))

    def live_instances(self, gpu_index: GpuIndex) -> tuple[LiveGi, ...]:
        found = [
            LiveGi(gi.gi_id, gi.profile, gi.placement, self._live_cis(gpu_index, gi))
            for offer in self._offers_of(gpu_index)
            for gi in self._instances_of(gpu_index, offer)
        ]
        return tuple(sorted(found, key=lambda gi: gi.placement))

    def set_mig_mode(self, gpu_index: GpuIndex, on: bool) -> MigMode:
        nv, where, gpu = self._nv, gpu_name(gpu_index), self._gpu_handle(gpu_index)
        # Whether NVML took the request is one answer (an exception here), how far it got another.
        activation = self.ask(where, nv.nvmlDeviceSetMigMode, gpu, int(on))
        self._offers.clear()  # old drivers tell none while MIG is off
        self._handles.clear()  # "may unbind or reset the device" (nvml.h)
        if activation not in (_SUCCESS, codes.RESET_REQUIRED):
            text = f"MIG mode {'on' if on else 'off'} does not take effect"
            raise codes.nvml_error(where, activation, text)
        mode = self._mig_mode(self._gpu_handle(gpu_index), where)
        if mode is None:
            raise codes.nvml_error(where, codes.NOT_SUPPORTED, "no MIG mode any more")
        return mode

    def create_gi(self, gpu_index: GpuIndex, profile_id: ProfileId, placement: Placement) -> GiId:
        nv, where, gpu = self._nv, gpu_name(gpu_index), self._gpu_handle(gpu_index)
        place = byref(nv.c_nvmlGpuInstancePlacement_t(*placement))
        create = nv.nvmlDeviceCreateGpuInstanceWithPlacement
        made = self.ask(where, create, gpu, profile_id, place)
        return GiId(self.ask(where, nv.nvmlGpuInstanceGetInfo, made).id)

    def create_ci(self, gpu_index: GpuIndex, gi_id: GiId, spec: CiSpec) -> CiId:
        nv, where, gi = self._nv, _gi_name(gpu_index, gi_id), self._gi_handle(gpu_index, gi_id)
        offers = tuple(self._ci_profiles(where, gi))
        profile = choose(offers, spec)
        if profile is None:
            names = ", ".join(sorted({offer.name for offer in offers})) or "none"
            text = f"{where} offers no compute instance {spec.ci_profile}: it offers {names}"
            raise NvmlError(text, codes.NOT_SUPPORTED)
        made = self._made_ci(where, gi, profile, spec.start)
        return CiId(self.ask(where, nv.nvmlComputeInstanceGetInfo, made).id)

    def _made_ci(self, where: str, gi: object, profile: CiProfile, start: int | None) -> Any:  # noqa: ANN401
        nv, number = self._nv, profile.ci_profile_id
        if start is not None:
            # Old drivers place it themselves: whoever minds looks afterwards where it is.
            with Absent(codes.FUNCTION_NOT_FOUND):
                place = self._ci_place(where, gi, profile, start)
                create = nv.nvmlGpuInstanceCreateComputeInstanceWithPlacement
                return self.ask(where, create, gi, number, place)
        return self.ask(where, nv.nvmlGpuInstanceCreateComputeInstance, gi, number)

    def destroy_ci(self, gpu_index: GpuIndex, gi_id: GiId, ci_id: CiId) -> None:
        nv, where = self._nv, f"{_gi_name(gpu_index, gi_id)}, compute instance {ci_id}"
        gi = self._gi_handle(gpu_index, gi_id)
        ci = self.ask(where, nv.nvmlGpuInstanceGetComputeInstanceById, gi, ci_id)
        self.ask(where, nv.nvmlComputeInstanceDestroy, ci)

    def destroy_gi(self, gpu_index: GpuIndex, gi_id: GiId) -> None:
        gi = self._gi_handle(gpu_index, gi_id)
        self.ask(_gi_name(gpu_index, gi_id), self._nv.nvmlGpuInstanceDestroy, gi)

    def _offers_of(self, gpu_index: GpuIndex) -> tuple[Any, ...]:
        if gpu_index not in self._offers:
            self._offers[gpu_index] = tuple(self._profiles(gpu_index))
        return self._offers[gpu_index]

    def _gi_handle(self, gpu_index: GpuIndex, gi_id: GiId) -> Any:  # noqa: ANN401
        by_id, gpu = self._nv.nvmlDeviceGetGpuInstanceById, self._gpu_handle(gpu_index)
        return self.ask(_gi_name(gpu_index, gi_id), by_id, gpu, gi_id)

    def _places(self, gpu_index: GpuIndex, profile_id: int) -> tuple[Placement, ...]:
        nv, count = self._nv, c_uint(_MAX_PLACES)
        found = (nv.c_nvmlGpuInstancePlacement_t * _MAX_PLACES)()
        with Absent(codes.NOT_SUPPORTED):  # MIG is off
            ask, gpu = nv.nvmlDeviceGetGpuInstancePossiblePlacements, self._gpu_handle(gpu_index)
            self.ask(gpu_name(gpu_index), ask, gpu, profile_id, found, byref(count))
            places = (Placement(place.start, place.size) for place in found[: count.value])
            return tuple(sorted(places))
        return ()

    def _live_cis(self, gpu_index: GpuIndex, gi: Any) -> tuple[LiveCi, ...]:  # noqa: ANN401
        where, handle = _gi_name(gpu_index, gi.gi_id), self._gi_handle(gpu_index, gi.gi_id)
        key = (gpu_index, gi.profile_id)
        if key not in self._ci_offers:
            self._ci_offers[key] = tuple(self._ci_profiles(where, handle))
        offers = self._ci_offers[key]
        found = [ci for offer in offers for ci in self._cis_of(where, handle, offer)]
        return tuple(sorted(found, key=lambda ci: (ci.spec.start or 0, ci.ci_id)))

    def _ci_profiles(self, where: str, gi: object) -> Iterator[CiProfile]:
        for number in range(_MAX_CI_PROFILES):
            try:
                ask = self._nv.nvmlGpuInstanceGetComputeInstanceProfileInfo
                offer = self.ask(where, ask, gi, number, _ALL_ENGINES)
            except NvmlError as error:
                if error.code == codes.INVALID_ARGUMENT:
                    return
                if error.code != codes.NOT_SUPPORTED:  # another GPU instance's: go on
                    raise
                continue
            yield CiProfile(
                name=after_mig(text_of(offer.name)),
                ci_profile_id=offer.id,
                slices=offer.sliceCount,
                sm_count=offer.multiprocessorCount,
            )

    def _cis_of(self, where: str, gi: object, offer: CiProfile) -> Iterator[LiveCi]:
        nv, count = self._nv, c_uint(_MAX_CIS)
        handles = (nv.c_nvmlComputeInstance_t * _MAX_CIS)()
        ask = nv.nvmlGpuInstanceGetComputeInstances
        self.ask(where, ask, gi, offer.ci_profile_id, handles, byref(count))
        for handle in handles[: count.value]:
            info = self.ask(where, nv.nvmlComputeInstanceGetInfo, handle)
            spec = CiSpec(offer.name, offer.ci_profile_id, info.placement.start)
            yield LiveCi(CiId(info.id), spec, offer.sm_count)

    def _ci_place(self, where: str, gi: object, profile: CiProfile, start: int) -> Any:  # noqa: ANN401
        """NVML's structure for that start. How many slices it spans is the driver's to say."""
        nv, count = self._nv, c_uint(_MAX_PLACES)
        found = (nv.c_nvmlComputeInstancePlacement_t * _MAX_PLACES)()
        ask = nv.nvmlGpuInstanceGetComputeInstancePossiblePlacements
        self.ask(where, ask, gi, profile.ci_profile_id, found, byref(count))
        sizes = {place.start: place.size for place in found[: count.value]}
        size = sizes.get(start, profile.slices)
        return byref(nv.c_nvmlComputeInstancePlacement_t(start, size))


def _gi_name(gpu_index: GpuIndex, gi_id: GiId) -> str:
    return f"{gpu_name(gpu_index)}, GPU instance {gi_id}"
