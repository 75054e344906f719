"""The port's third part over nvidia-ml-py: what slices and GPUs in use are like now."""

from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_void_p, cast
from math import isfinite
from typing import Any, NamedTuple

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.nvml import codes
from slurm_mig.gpu.nvml.adapter import MACHINE, Absent, Pynvml, gpu_name, opened
from slurm_mig.gpu.nvml.port import GpuInfo, MigInfo
from slurm_mig.gpu.nvml.usage_port import GPM_METRICS, GpuEvent, Place, UsageNvml, UsedBy
from slurm_mig.model import CiId, GiId, GpuIndex

_MIB = 1 << 20
_NO_INSTANCE = 0xFFFFFFFF
_MOST_EVENTS = 256  # of one look: a GPU that fails all the time must not keep us
# What a GPU lacks, or a driver that is too old for it.
_LACKS = (codes.NOT_SUPPORTED, codes.FUNCTION_NOT_FOUND)
_ANY = range(1, 1000)


@contextmanager
def usage_session() -> Iterator[UsageNvml]:
    """NVML for a monitor, initialised on entry and shut down on exit. Raises NvmlError."""
    with opened(_PynvmlUsage) as nvml:
        try:
            yield nvml
        finally:
            nvml.give_back()


class _PynvmlUsage(Pynvml):
    """`UsageNvml` over the pynvml module."""

    def __init__(self, pynvml: Any) -> None:  # noqa: ANN401  (a module without types)
        super().__init__(pynvml)
        self._places: dict[Place, Any] = {}
        self._metrics: Any = None
        self._events: Any = None
        self._index_of: dict[int | None, GpuIndex] = {}
        self._samples: list[_Sample] = []

    def give_back(self) -> None:
        """Free what the library gave us, as long as it takes it."""
        for sample in self._samples:
            with Absent(*_ANY):
                self.ask(MACHINE, self._nv.nvmlGpmSampleFree, sample.handle)
        if self._events is not None:
            with Absent(*_ANY):
                self.ask(MACHINE, self._nv.nvmlEventSetFree, self._events)

    def gpu_count(self) -> int:
        return int(self.ask(MACHINE, self._nv.nvmlDeviceGetCount))

    def gpu(self, gpu_index: GpuIndex) -> GpuInfo:
        return self._gpu(gpu_index)

    def mig_devices(self, gpu_index: GpuIndex) -> tuple[MigInfo, ...]:
        self._places.clear()
        return super().mig_devices(gpu_index)

    def compute_slices(self, gpu_index: GpuIndex) -> int | None:
        with Absent(codes.NO_PERMISSION, *_LACKS):
            return max((one.sliceCount for one in self._profiles(gpu_index)), default=None)
        return None

    def memory_used_mib(self, place: Place) -> float:
        handle = self._handle(place)
        used: int = self.ask(_name(place), self._nv.nvmlDeviceGetMemoryInfo, handle).used
        return used / _MIB

    def sram_uncorrected(self, place: Place) -> int | None:
        nv, handle = self._nv, self._handle(place)
        kind, counter = nv.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nv.NVML_VOLATILE_ECC
        with Absent(*_LACKS):
            ask, where = nv.nvmlDeviceGetMemoryErrorCounter, nv.NVML_MEMORY_LOCATION_SRAM
            return int(self.ask(_name(place), ask, handle, kind, counter, where))
        return None

    def processes(self, gpu_index: GpuIndex) -> tuple[UsedBy, ...]:
        gpu, where = self._gpu_handle(gpu_index), gpu_name(gpu_index)
        found = self._listed(where, gpu, "Compute")
        with Absent(codes.NOT_SUPPORTED):
            found += self._listed(where, gpu, "Graphics")
        # Whoever computes and draws is in both lists, with the same memory.
        processes = {(one.pid, one.gi_id, one.ci_id): one for one in map(_process, found)}
        return tuple(processes.values())

    def _listed(self, where: str, gpu: object, kind: str) -> list[Any]:
        name = f"nvmlDeviceGet{kind}RunningProcesses"
        with Absent(codes.FUNCTION_NOT_FOUND):  # a driver before 510
            return list(self.ask(where, getattr(self._nv, f"{name}_v3"), gpu))
        return list(self.ask(where, getattr(self._nv, f"{name}_v2"), gpu))

    def energy_mj(self, gpu_index: GpuIndex) -> int | None:
        gpu = self._gpu_handle(gpu_index)
        with Absent(*_LACKS):
            ask = self._nv.nvmlDeviceGetTotalEnergyConsumption
            return int(self.ask(gpu_name(gpu_index), ask, gpu))
        return None

    def power_w(self, gpu_index: GpuIndex) -> float | None:
        gpu = self._gpu_handle(gpu_index)
        with Absent(*_LACKS):
            milliwatts = self.ask(gpu_name(gpu_index), self._nv.nvmlDeviceGetPowerUsage, gpu)
            return float(milliwatts) / 1000
        return None

    def has_gpm(self, gpu_index: GpuIndex) -> bool:
        gpu = self._gpu_handle(gpu_index)
        with Absent(*_LACKS):
            ask = self._nv.nvmlGpmQueryDeviceSupport
            return bool(self.ask(gpu_name(gpu_index), ask, gpu).isSupportedDevice)
        return False

    def gpm_sample(
        self, gpu_index: GpuIndex, gi_id: GiId | None, old: object | None = None
    ) -> object:
        nv, where, gpu = self._nv, gpu_name(gpu_index), self._gpu_handle(gpu_index)
        if old is None:
            self._samples.append(old := _Sample(self.ask(where, nv.nvmlGpmSampleAlloc)))
        assert isinstance(old, _Sample)  # noqa: S101  (nobody else makes one)
        sample = old
        if gi_id is None:
            self.ask(where, nv.nvmlGpmSampleGet, gpu, sample.handle)
        else:
            self.ask(where, nv.nvmlGpmMigSampleGet, gpu, gi_id, sample.handle)
        return sample

    def gpm_between(self, first: object, second: object) -> tuple[float | None, ...]:
        assert isinstance(first, _Sample) and isinstance(second, _Sample)  # noqa: S101
        nv = self._nv
        if self._metrics is None:  # some 20 kB: made once
            self._metrics = nv.c_nvmlGpmMetricsGet_t()
            self._metrics.version = nv.NVML_GPM_METRICS_GET_VERSION
            self._metrics.numMetrics = len(GPM_METRICS)
            for place, number in enumerate(GPM_METRICS.values()):
                self._metrics.metrics[place].metricId = number
        asked = self._metrics
        asked.sample1, asked.sample2 = first.handle, second.handle
        self.ask(MACHINE, nv.nvmlGpmMetricsGet, asked)
        return tuple(_ratio(one) for one in asked.metrics[: len(GPM_METRICS)])

    def watch(self, gpu_indices: tuple[GpuIndex, ...]) -> frozenset[GpuIndex]:
        nv, heard = self._nv, set()
        if self._events is None:
            self._events = self.ask(MACHINE, nv.nvmlEventSetCreate)
        for gpu_index in gpu_indices:
            where, gpu = gpu_name(gpu_index), self._gpu_handle(gpu_index)
            with Absent(*_LACKS, codes.INVALID_ARGUMENT):
                has = self.ask(where, nv.nvmlDeviceGetSupportedEventTypes, gpu)
                wanted = has & (nv.nvmlEventTypeXidCriticalError | nv.nvmlEventMigConfigChange)
                self.ask(where, nv.nvmlDeviceRegisterEvents, gpu, wanted, self._events)
                if wanted & nv.nvmlEventTypeXidCriticalError:
                    heard.add(gpu_index)
            self._index_of[_address(gpu)] = gpu_index
        return frozenset(heard)

    def events(self) -> tuple[GpuEvent, ...]:
        found: list[GpuEvent] = []
        while self._events is not None and len(found) < _MOST_EVENTS:
            try:
                told = self.ask(MACHINE, self._nv.nvmlEventSetWait_v2, self._events, 0)
            except NvmlError as error:
                if error.code == codes.TIMEOUT:
                    break
                raise
            gpu_index = self._index_of.get(_address(told.device))
            if gpu_index is not None:
                found.append(_event(gpu_index, told, self._nv.nvmlEventTypeXidCriticalError))
        return tuple(found)

    def _handle(self, place: Place) -> Any:  # noqa: ANN401
        if place.mig_index is None:
            return self._gpu_handle(place.gpu_index)
        if place not in self._places:
            by_index, gpu = self._nv.nvmlDeviceGetMigDeviceHandleByIndex, place.gpu_index
            found = self.ask(_name(place), by_index, self._gpu_handle(gpu), place.mig_index)
            self._places[place] = found
        return self._places[place]


class _Sample(NamedTuple):
    """NVML's memory for the counters of one moment."""

    handle: Any


def _name(place: Place) -> str:
    where = gpu_name(place.gpu_index)
    return where if place.mig_index is None else f"{where}, MIG device {place.mig_index}"


def _address(handle: object) -> int | None:
    return cast(handle, c_void_p).value  # type: ignore[arg-type]


def _process(one: Any) -> UsedBy:  # noqa: ANN401  (pynvml's own structure)
    gi_id, ci_id = _instance(one.gpuInstanceId), _instance(one.computeInstanceId)
    return UsedBy(
        int(one.pid),
        None if gi_id is None else GiId(gi_id),
        None if ci_id is None else CiId(ci_id),
        None if one.usedGpuMemory is None else one.usedGpuMemory / _MIB,
    )


def _event(gpu_index: GpuIndex, told: Any, xid: int) -> GpuEvent:  # noqa: ANN401
    gi_id, ci_id = _instance(told.gpuInstanceId), _instance(told.computeInstanceId)
    return GpuEvent(
        gpu_index,
        int(told.eventData) if told.eventType == xid else None,
        None if gi_id is None else GiId(gi_id),
        None if ci_id is None else CiId(ci_id),
    )


def _instance(number: int | None) -> int | None:
    return None if number is None or number == _NO_INSTANCE else int(number)


def _ratio(metric: Any) -> float | None:  # noqa: ANN401
    """A percentage as 0..1; None where there is none, or where it is no number."""
    if metric.nvmlReturn != 0 or not isfinite(metric.value):
        return None
    return float(metric.value) / 100
