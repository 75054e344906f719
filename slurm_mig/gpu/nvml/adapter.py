"""The NVML port over nvidia-ml-py: the only importer of pynvml.

Imported when a session opens, not before: `slurm-mig --help` need not pay for it.
What a partitioning needs beyond it is in nvml_partition.py.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from ctypes import byref, c_uint
from typing import Any, TypeVar

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.nvml import codes
from slurm_mig.gpu.nvml.port import GiInfo, GpuInfo, MigInfo, Nvml
from slurm_mig.gpu.profile import after_mig, device_profile
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

_MIB = 1 << 20
MACHINE = "this machine"
# More than any GPU has. NVML's own instanceCount is not used: drivers told it wrong on A30.
_MAX_INSTANCES = 64
# Profiles are numbered from 0; INVALID_ARGUMENT ends the list, whatever number that is.
_MAX_PROFILES = 256
_CPU_WORDS = 128  # of 64 CPUs each: Linux goes no further than 8192


def session() -> AbstractContextManager[Nvml]:
    """NVML, initialised on entry and shut down on exit, whatever happens between.

    Raises NvmlError when there is no library, no driver or no permission.
    """
    return opened(Pynvml)


@contextmanager
def opened(make: "Callable[[Any], _Adapter]") -> "Iterator[_Adapter]":
    """As `session`, of an adapter that `make` makes of the module pynvml."""
    import pynvml

    adapter = make(pynvml)
    adapter.ask(MACHINE, pynvml.nvmlInit)
    try:
        yield adapter
    finally:
        adapter.ask(MACHINE, pynvml.nvmlShutdown)


def load() -> None:
    """Load the module, not the library: before a fork, so that no child has to do it."""
    import pynvml  # noqa: F401


class Pynvml:
    """`Nvml` over the pynvml module.

    GPU handles are kept for the session; MIG handles never, since any change makes them stale.
    """

    def __init__(self, pynvml: Any) -> None:  # noqa: ANN401  (a module without types)
        self._nv = pynvml
        self._handles: dict[GpuIndex, Any] = {}

    def ask(self, where: str, call: Callable[..., Any], *args: object) -> Any:  # noqa: ANN401
        """What `call` answers; NvmlError naming `where` when it fails."""
        try:
            return call(*args)
        except self._nv.NVMLError as error:
            raise codes.nvml_error(where, error.value, str(error)) from None

    def driver_version(self) -> str:
        return str(self.ask(MACHINE, self._nv.nvmlSystemGetDriverVersion))

    def gpus(self) -> tuple[GpuInfo, ...]:
        count = self.ask(MACHINE, self._nv.nvmlDeviceGetCount)
        return tuple(self._gpu(GpuIndex(number)) for number in range(count))

    def near_cpus(self, gpu_index: GpuIndex) -> frozenset[int] | None:
        gpu = self._gpu_handle(gpu_index)
        with Absent(codes.NOT_SUPPORTED, codes.NOT_FOUND):
            words = self.ask(
                gpu_name(gpu_index), self._nv.nvmlDeviceGetCpuAffinity, gpu, _CPU_WORDS
            )
            return frozenset(_set_bits(words))
        return None

    def mig_devices(self, gpu_index: GpuIndex) -> tuple[MigInfo, ...]:
        gpu, where = self._gpu_handle(gpu_index), gpu_name(gpu_index)
        slots = 0
        with Absent(codes.NOT_SUPPORTED):
            slots = self.ask(where, self._nv.nvmlDeviceGetMaxMigDeviceCount, gpu)
        found = []
        for slot in range(slots):
            # A slot without a device may be a gap with more devices behind it: go on.
            with Absent(codes.NOT_FOUND, codes.NOT_SUPPORTED):
                handle = self.ask(where, self._nv.nvmlDeviceGetMigDeviceHandleByIndex, gpu, slot)
                found.append((MigIndex(slot), handle))
        return tuple(self._mig_device(where, slot, handle) for slot, handle in found)

    def gpu_instances(self, gpu_index: GpuIndex) -> tuple[GiInfo, ...] | None:
        # FUNCTION_NOT_FOUND: a driver before 510 names no profiles.
        with Absent(codes.NO_PERMISSION, codes.FUNCTION_NOT_FOUND):
            found = [
                instance
                for profile in self._profiles(gpu_index)
                for instance in self._instances_of(gpu_index, profile)
            ]
            return tuple(sorted(found, key=lambda gi: gi.gi_id))
        return None

    def _gpu_handle(self, gpu_index: GpuIndex) -> Any:  # noqa: ANN401
        if gpu_index not in self._handles:
            by_index = self._nv.nvmlDeviceGetHandleByIndex
            self._handles[gpu_index] = self.ask(gpu_name(gpu_index), by_index, gpu_index)
        return self._handles[gpu_index]

    def _gpu(self, gpu_index: GpuIndex) -> GpuInfo:
        nv, gpu, where = self._nv, self._gpu_handle(gpu_index), gpu_name(gpu_index)
        return GpuInfo(
            gpu_index=gpu_index,
            gpu_minor=GpuMinor(self.ask(where, nv.nvmlDeviceGetMinorNumber, gpu)),
            uuid=self.ask(where, nv.nvmlDeviceGetUUID, gpu),
            name=self.ask(where, nv.nvmlDeviceGetName, gpu),
            pci_bus_id=text_of(self.ask(where, nv.nvmlDeviceGetPciInfo, gpu).busId),
            memory_mib=self.ask(where, nv.nvmlDeviceGetMemoryInfo, gpu).total // _MIB,
            mig_mode=self._mig_mode(gpu, where),
        )

    def _mig_mode(self, gpu: object, where: str) -> MigMode | None:
        with Absent(codes.NOT_SUPPORTED):
            current, pending = self.ask(where, self._nv.nvmlDeviceGetMigMode, gpu)
            return MigMode(current=current == 1, pending=pending == 1)
        return None

    def _mig_device(self, where: str, mig_index: MigIndex, handle: object) -> MigInfo:
        nv, where = self._nv, f"{where}, MIG device {mig_index}"
        size = self.ask(where, nv.nvmlDeviceGetAttributes, handle)
        name = self.ask(where, nv.nvmlDeviceGetName, handle)
        return MigInfo(
            mig_index=mig_index,
            uuid=self.ask(where, nv.nvmlDeviceGetUUID, handle),
            profile=device_profile(
                name,
                gi_slices=size.gpuInstanceSliceCount,
                ci_slices=size.computeInstanceSliceCount,
                memory_mib=size.memorySizeMB,
            ),
            gi_id=GiId(self.ask(where, nv.nvmlDeviceGetGpuInstanceId, handle)),
            ci_id=CiId(self.ask(where, nv.nvmlDeviceGetComputeInstanceId, handle)),
            memory_mib=size.memorySizeMB,
            sm_count=size.multiprocessorCount,
            gi_slices=size.gpuInstanceSliceCount,
            ci_slices=size.computeInstanceSliceCount,
        )

    def _profiles(self, gpu_index: GpuIndex) -> Iterator[Any]:
        """Every profile of the GPU: NVML's own structure, with a name."""
        gpu, where = self._gpu_handle(gpu_index), gpu_name(gpu_index)
        for number in range(_MAX_PROFILES):
            try:
                yield self.ask(where, self._nv.nvmlDeviceGetGpuInstanceProfileInfo, gpu, number)
            except NvmlError as error:
                if error.code == codes.INVALID_ARGUMENT:
                    return
                if error.code != codes.NOT_SUPPORTED:  # another GPU's profile: go on
                    raise

    def _instances_of(self, gpu_index: GpuIndex, profile: Any) -> Iterator[GiInfo]:  # noqa: ANN401
        nv, where = self._nv, gpu_name(gpu_index)
        gpu, count = self._gpu_handle(gpu_index), c_uint()
        handles = (nv.c_nvmlGpuInstance_t * _MAX_INSTANCES)()
        with Absent(codes.NOT_SUPPORTED):  # MIG is off
            self.ask(where, nv.nvmlDeviceGetGpuInstances, gpu, profile.id, handles, byref(count))
        for handle in handles[: count.value]:
            info = self.ask(where, nv.nvmlGpuInstanceGetInfo, handle)
            yield GiInfo(
                gi_id=GiId(info.id),
                profile=after_mig(text_of(profile.name)),
                profile_id=ProfileId(profile.id),
                placement=Placement(info.placement.start, info.placement.size),
            )


_Adapter = TypeVar("_Adapter", bound=Pynvml)


class Absent:
    """Leave the block quietly when NVML answers one of `codes`: there is no such thing."""

    def __init__(self, *absent: int) -> None:
        self._absent = absent

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        return isinstance(error, NvmlError) and error.code in self._absent


def gpu_name(gpu_index: GpuIndex) -> str:
    return f"GPU {gpu_index}"


def text_of(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _set_bits(words: Any) -> Iterator[int]:  # noqa: ANN401  (a ctypes array of 64-bit words)
    for number, word in enumerate(words):
        if word:
            yield from (64 * number + bit for bit in range(64) if word >> bit & 1)
