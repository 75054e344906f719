"""`UsageMachine`: GPUs with processes on them whose every figure is known beforehand.

Held to tests/contract/test_nvml_usage.py, as the real adapter. What a process does with the
multiprocessors it uses is the simulator's (tests/sim/gpm.c), and so are power and idle memory.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.nvml.codes import GPU_IS_LOST, NOT_SUPPORTED, nvml_error
from slurm_mig.gpu.nvml.port import GpuInfo, MigInfo
from slurm_mig.gpu.nvml.usage_port import GPM_METRICS, GpuEvent, Place, UsedBy
from slurm_mig.model import CiId, GiId, GpuIndex
from tests.contract.conftest import fake_gpu
from tests.fake_partition import FakePartitionNvml
from tests.sim.models import GpuModel, load

# Of GPM's metrics: how much of "some process is active", and of that by multiprocessors.
ANY = {"graphics": 1.0, "dram_bandwidth": 0.6}
SM = {"sm": 1.0, "occupancy": 0.5, "tensor": 0.4, "fp64": 0.1, "fp32": 0.3, "fp16": 0.2}
REFRESH_S = 0.1  # GPM's counters: closer samples have nothing between them


@dataclass(frozen=True)
class Step:
    """From `at_s` after its start on a process has this memory and activity (0..1)."""

    at_s: float
    memory_mib: float
    activity: float = 0.0


@dataclass(frozen=True)
class Load:
    """A process on a slice (gi_id None: on a whole GPU), from `began_s` until `ends_s`."""

    pid: int
    gpu_index: int
    gi_id: int | None
    ci_id: int | None
    began_s: float
    ends_s: float
    steps: tuple[Step, ...]

    def step(self, now_s: float) -> Step | None:
        """What it does now; None: it is not there."""
        if not self.began_s <= now_s < self.ends_s:
            return None
        return max((one for one in self.steps if self.began_s + one.at_s <= now_s), key=_at)

    def total(self, value: Callable[[Step], float], from_s: float, to_s: float) -> float:
        """The integral over time of something of its steps."""
        ends = [self.began_s + one.at_s for one in self.steps[1:]] + [self.ends_s]
        spent = 0.0
        for one, end_s in zip(self.steps, ends, strict=True):
            begin_s = max(from_s, self.began_s + one.at_s)
            spent += value(one) * max(0.0, min(to_s, end_s, self.ends_s) - begin_s)
        return spent


def _at(step: Step) -> float:
    return step.at_s


@dataclass
class UsageMachine:
    """The machine: what is on it, and what goes wrong. `now_s` is asked for the time."""

    layouts: Sequence[str]
    now_s: Callable[[], float]
    loads: list[Load] = field(default_factory=list)
    events: list[GpuEvent] = field(default_factory=list)
    failing: dict[str, NvmlError] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)
    sram: dict[Place, int] = field(default_factory=dict)
    counters: bool = True  # of energy
    opened: int = 0  # sessions that are
    sessions: int = 0  # and were

    def __post_init__(self) -> None:
        self.models = [load(layout.partition("=")[0]) for layout in self.layouts]
        self.gpus = [fake_gpu(layout) for layout in self.layouts]
        self.began_s = self.now_s()

    def gpu_uuid(self, gpu_index: int) -> str:
        """As NVML tells it."""
        return FakePartitionNvml(self.gpus).gpu(GpuIndex(gpu_index)).uuid

    def partition(self, gpu_index: int, layout: str) -> None:
        """Cut a GPU another way."""
        self.gpus[gpu_index] = fake_gpu(f"{self.models[gpu_index].key}={layout}")

    def mig_devices(self, gpu_index: int) -> tuple[MigInfo, ...]:
        """What there is on a GPU. A UUID goes with the shape, as the driver's do."""
        found = FakePartitionNvml(self.gpus).mig_devices(GpuIndex(gpu_index))
        return tuple(one._replace(uuid=_uuid(gpu_index, one)) for one in found)

    @contextmanager
    def session(self) -> "Iterator[FakeUsageNvml]":
        """What the monitor opens."""
        if "session" in self.failing:
            raise self.failing["session"]
        self.opened += 1
        self.sessions += 1
        try:
            yield FakeUsageNvml(self)
        finally:
            self.opened -= 1


def _uuid(gpu_index: int, one: MigInfo) -> str:
    shape = f"{gpu_index}/{one.profile}/{one.gi_id}/{one.ci_id}"
    return f"MIG-{uuid.uuid5(uuid.NAMESPACE_OID, shape)}"


class FakeUsageNvml:
    """`UsageNvml` over a UsageMachine."""

    def __init__(self, machine: UsageMachine) -> None:
        self._machine = machine
        self._nvml = FakePartitionNvml(machine.gpus)
        self._heard: set[GpuIndex] = set()
        self._read = len(machine.events)

    def gpu_count(self) -> int:
        self._called("gpu_count")
        return self._nvml.gpu_count()

    def gpu(self, gpu_index: GpuIndex) -> GpuInfo:
        self._called("gpu", gpu_index)
        return self._nvml.gpu(gpu_index)

    def mig_devices(self, gpu_index: GpuIndex) -> tuple[MigInfo, ...]:
        self._called("mig_devices", gpu_index)
        return self._machine.mig_devices(gpu_index)

    def compute_slices(self, gpu_index: GpuIndex) -> int | None:
        self._called("compute_slices", gpu_index)
        profiles = self._machine.gpus[gpu_index].profiles
        return max((one.slices for one in profiles), default=None)

    def memory_used_mib(self, place: Place) -> float:
        self._called("memory_used_mib", place.gpu_index)
        gi_id = self._gi(place)
        used = sum(one.memory_mib for _, one in self._live(place.gpu_index, gi_id))
        return used + self._idle_mib(place.gpu_index, gi_id)

    def sram_uncorrected(self, place: Place) -> int | None:
        self._called("sram_uncorrected", place.gpu_index)
        return self._machine.sram.get(place, 0)

    def processes(self, gpu_index: GpuIndex) -> tuple[UsedBy, ...]:
        self._called("processes", gpu_index)
        return tuple(
            UsedBy(
                load.pid,
                None if load.gi_id is None else GiId(load.gi_id),
                None if load.ci_id is None else CiId(load.ci_id),
                step.memory_mib,
            )
            for load, step in self._live(gpu_index, None)
        )

    def energy_mj(self, gpu_index: GpuIndex) -> int | None:
        self._called("energy_mj", gpu_index)
        machine, now_s = self._machine, self._machine.now_s()
        return int(energy_j(machine, gpu_index, now_s) * 1000) if machine.counters else None

    def power_w(self, gpu_index: GpuIndex) -> float | None:
        self._called("power_w", gpu_index)
        model = self._machine.models[gpu_index]
        live = self._live(gpu_index, None)
        busy = sum(one.activity * self._share(load, of_gpu=True) for load, one in live)
        return model.power_idle_w + _active_w(model) * min(1.0, busy)

    def has_gpm(self, gpu_index: GpuIndex) -> bool:
        self._called("has_gpm", gpu_index)
        return self._machine.models[gpu_index].gpm

    def gpm_sample(
        self, gpu_index: GpuIndex, gi_id: GiId | None, old: object | None = None
    ) -> object:
        self._called("gpm_sample", gpu_index)
        on = bool(self._machine.gpus[gpu_index].slices)
        if not self._machine.models[gpu_index].gpm or (gi_id is None and on):
            raise nvml_error(f"GPU {gpu_index}", NOT_SUPPORTED, "Not Supported")
        return gpu_index, gi_id, self._machine.now_s()

    def gpm_between(self, first: object, second: object) -> tuple[float | None, ...]:
        self._called("gpm_between")
        assert isinstance(first, tuple) and isinstance(second, tuple)
        gpu_index, gi_id, from_s = first
        to_s = second[2]
        if to_s - from_s < REFRESH_S:
            return (None,) * len(GPM_METRICS)
        return ratios(self._machine, gpu_index, gi_id, from_s, to_s)

    def watch(self, gpu_indices: tuple[GpuIndex, ...]) -> frozenset[GpuIndex]:
        self._called("watch")
        self._heard |= set(gpu_indices)
        return frozenset(gpu_indices)

    def events(self) -> tuple[GpuEvent, ...]:
        self._called("events")
        new, self._read = self._machine.events[self._read :], len(self._machine.events)
        return tuple(one for one in new if one.gpu_index in self._heard)

    def _called(self, method: str, gpu_index: int | None = None) -> None:
        if method in self._machine.failing:
            raise self._machine.failing[method]
        if gpu_index is not None:
            if gpu_index in self._machine.lost:
                raise nvml_error(f"GPU {gpu_index}", GPU_IS_LOST, "GPU is lost")
            self._nvml.gpu(GpuIndex(gpu_index))  # INVALID_ARGUMENT where there is none

    def _gi(self, place: Place) -> int | None:
        devices = self._machine.mig_devices(place.gpu_index)
        if place.mig_index is None:
            return None
        for one in devices:
            if one.mig_index == place.mig_index:
                return one.gi_id
        raise nvml_error(f"GPU {place.gpu_index}, MIG device {place.mig_index}", 6, "Not Found")

    def _live(self, gpu_index: int, gi_id: int | None) -> list[tuple[Load, Step]]:
        now_s = self._machine.now_s()
        loads = [one for one in self._machine.loads if one.gpu_index == gpu_index]
        wanted = [one for one in loads if gi_id in (None, one.gi_id)]
        return [(one, step) for one in wanted if (step := one.step(now_s))]

    def _idle_mib(self, gpu_index: int, gi_id: int | None) -> float:
        """26, 17 and 9 MiB on 3g, 2g and 1g; of a GPU the sum, or 1."""
        slices = self._machine.gpus[gpu_index].slices or ()
        chosen = [one for one in slices if gi_id in (None, one.gi_id)]
        sizes = [int(one.profile.partition("g")[0]) for one in chosen]
        return float(sum(9 if size == 1 else 26 * size // 3 for size in sizes) or 1)

    def _share(self, load: Load, *, of_gpu: bool) -> float:
        return share(self._machine, load, of_gpu=of_gpu)


def share(machine: UsageMachine, load: Load, *, of_gpu: bool) -> float:
    """Which part of the multiprocessors of its GPU (or GPU instance) a process can use."""
    if load.gi_id is None:
        return 1.0
    gpu, model = machine.gpus[load.gpu_index], machine.models[load.gpu_index]
    (instance,) = [one for one in gpu.slices or () if one.gi_id == load.gi_id]
    own = {ci.ci_id: ci.sm_count for ci in instance.cis}[CiId(load.ci_id or 0)]
    return own / (model.sm_count if of_gpu else model.profile(instance.profile).sm_count)


def ratios(
    machine: UsageMachine, gpu_index: int, gi_id: int | None, from_s: float, to_s: float
) -> tuple[float | None, ...]:
    """What GPM says of a GPU instance in that time."""
    loads = [one for one in machine.loads if (one.gpu_index, one.gi_id) == (gpu_index, gi_id)]
    busy = [(one, one.total(lambda step: step.activity, from_s, to_s)) for one in loads]
    some = sum(spent for _, spent in busy) / (to_s - from_s)
    by_sm = sum(spent * share(machine, one, of_gpu=False) for one, spent in busy) / (to_s - from_s)
    return tuple(
        ANY[name] * min(1.0, some) if name in ANY else SM[name] * min(1.0, by_sm)
        for name in GPM_METRICS
    )


def energy_j(machine: UsageMachine, gpu_index: int, now_s: float) -> float:
    """What a GPU used since the machine began."""
    model = machine.models[gpu_index]
    busy_s = sum(
        one.total(lambda step: step.activity, machine.began_s, now_s)
        * share(machine, one, of_gpu=True)
        for one in machine.loads
        if one.gpu_index == gpu_index
    )
    return model.power_idle_w * (now_s - machine.began_s) + _active_w(model) * busy_s


def _active_w(model: GpuModel) -> float:
    return float(model.power_limit_w - model.power_idle_w)
