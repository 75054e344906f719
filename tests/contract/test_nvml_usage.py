"""What every backend of the NVML port's third part promises: the fake and the real adapter."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.nvml.codes import GPU_IS_LOST, INVALID_ARGUMENT, NOT_SUPPORTED
from slurm_mig.gpu.nvml.usage_adapter import usage_session
from slurm_mig.gpu.nvml.usage_port import GPM_METRICS, GpuEvent, Place, UsageNvml, UsedBy
from slurm_mig.model import CiId, GiId, GpuIndex, MigIndex
from tests.fake_usage import Load, Step, UsageMachine
from tests.sim import library
from tests.sim.api import Sim
from tests.sim.models import load, mig_keys

GPU_0 = GpuIndex(0)
FIRST = Place(GPU_0, MigIndex(0))
WHOLE = Place(GPU_0, None)
MIB = 1 << 20
FOREVER_S = 1e9


class Machine(Protocol):
    """A machine whose clock stands still, and what can happen on it."""

    def open(self) -> AbstractContextManager[UsageNvml]: ...
    def advance(self, seconds: float) -> None:
        """Time goes by."""

    def use(self, gi_id: int | None, ci_id: int | None, *steps: Step) -> int:
        """This process, from now on, on an instance of GPU 0; its pid."""

    def lose(self, gpu_index: int) -> None:
        """That GPU falls off the bus."""

    def xid(self, number: int, gi_id: int | None, ci_id: int | None) -> None:
        """An error on GPU 0."""


class RealMachine:
    """The adapter over nvidia-ml-py, over the simulated library."""

    def __init__(self, folder: Path, gpus: tuple[str, ...], patch: pytest.MonkeyPatch) -> None:
        self.sim = Sim.new(folder, gpus, nodes=False)
        self.sim.freeze()
        self._patch = patch

    @contextmanager
    def open(self) -> Iterator[UsageNvml]:
        library.load()
        self._patch.setenv("MIGSIM_DIR", str(self.sim.dir))
        with usage_session() as nvml:
            yield nvml

    def advance(self, seconds: float) -> None:
        self.sim.advance(seconds)

    def use(self, gi_id: int | None, ci_id: int | None, *steps: Step) -> int:
        gi, ci = (library.NONE if one is None else one for one in (gi_id, ci_id))
        known = [
            library.Step(round(one.at_s * 1e9), round(one.memory_mib * MIB), one.activity)
            for one in steps
        ]
        assert library.add_process(self.sim.dir, os.getpid(), 0, (0, gi, ci), known) == 0
        return os.getpid()

    def lose(self, gpu_index: int) -> None:
        self.sim.lose(gpu_index)

    def xid(self, number: int, gi_id: int | None, ci_id: int | None) -> None:
        self.sim.xid(0, number, *(library.NONE if one is None else one for one in (gi_id, ci_id)))


class FakeMachine:
    """tests.fake_usage.UsageMachine."""

    def __init__(self, gpus: tuple[str, ...]) -> None:
        self._now_s = 1000.0
        self.machine = UsageMachine(gpus, lambda: self._now_s)

    def open(self) -> AbstractContextManager[UsageNvml]:
        return self.machine.session()

    def advance(self, seconds: float) -> None:
        self._now_s += seconds

    def use(self, gi_id: int | None, ci_id: int | None, *steps: Step) -> int:
        one = Load(os.getpid(), 0, gi_id, ci_id, self._now_s, FOREVER_S, steps)
        self.machine.loads.append(one)
        return one.pid

    def lose(self, gpu_index: int) -> None:
        self.machine.lost.add(gpu_index)

    def xid(self, number: int, gi_id: int | None, ci_id: int | None) -> None:
        gi, ci = (None if one is None else one for one in (gi_id, ci_id))
        attributed = (None if gi is None else GiId(gi), None if ci is None else CiId(ci))
        self.machine.events.append(GpuEvent(GPU_0, number, *attributed))


Make = Callable[..., Machine]


@pytest.fixture(params=["fake", "simulated"])
def backend(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Make:
    """backend("h100-80gb=3g.40gb", …): a machine behind either backend."""

    def machine(*gpus: str) -> Machine:
        if request.param == "fake":
            return FakeMachine(gpus)
        request.getfixturevalue("sim_library")
        return RealMachine(tmp_path / "sim", gpus, monkeypatch)

    return machine


@pytest.mark.parametrize("key", mig_keys())
def test_into_how_many_compute_slices_a_gpu_can_be_cut(backend: Make, key: str) -> None:
    with backend(f"{key}=mig").open() as nvml:
        assert nvml.compute_slices(GPU_0) == max(one.slices for one in load(key).profiles)
        assert nvml.has_gpm(GPU_0) == load(key).gpm


def test_memory_is_the_gpu_instances_with_what_an_idle_one_keeps(backend: Make) -> None:
    machine = backend("h100-80gb=3g.40gb@4:2c:1c/1g.10gb@0")
    with machine.open() as nvml:
        devices = nvml.mig_devices(GPU_0)
        shared = [one for one in devices if one.profile != "1g.10gb"]
        (single,) = [one for one in devices if one.profile == "1g.10gb"]
        machine.use(shared[0].gi_id, shared[0].ci_id, Step(0, 2048), Step(5, 512))
        places = [Place(GPU_0, one.mig_index) for one in shared]
        assert [nvml.memory_used_mib(place) for place in places] == [2048 + 26] * 2
        assert nvml.memory_used_mib(Place(GPU_0, single.mig_index)) == 9
        machine.advance(6)
        assert [nvml.memory_used_mib(place) for place in places] == [512 + 26] * 2


def test_a_process_is_on_its_compute_instance(backend: Make) -> None:
    machine = backend("h100-80gb=3g.40gb@4:2c:1c")
    with machine.open() as nvml:
        one = nvml.mig_devices(GPU_0)[1]
        assert nvml.processes(GPU_0) == ()
        pid = machine.use(one.gi_id, one.ci_id, Step(0, 300))
        assert nvml.processes(GPU_0) == (UsedBy(pid, one.gi_id, one.ci_id, 300.0),)


def test_a_process_on_a_whole_gpu_is_on_no_instance(backend: Make) -> None:
    machine = backend("h100-80gb")
    with machine.open() as nvml:
        pid = machine.use(None, None, Step(0, 1024, 0.5))
        assert nvml.processes(GPU_0) == (UsedBy(pid, None, None, 1024.0),)
        assert nvml.memory_used_mib(WHOLE) == 1025


@pytest.mark.parametrize("key", ["a100-40gb", "h100-80gb", "a30-24gb"])
def test_energy_is_the_integral_of_power(backend: Make, key: str) -> None:
    machine = backend(f"{key}={load(key).profiles[0].name}")
    with machine.open() as nvml:
        (one,) = nvml.mig_devices(GPU_0)
        idle, before = nvml.power_w(GPU_0), nvml.energy_mj(GPU_0)
        machine.use(one.gi_id, one.ci_id, Step(0, 100, 0.5))
        power = nvml.power_w(GPU_0)
        machine.advance(10)
        after = nvml.energy_mj(GPU_0)
    assert idle == load(key).power_idle_w
    assert before is not None and after is not None and power is not None and power > idle
    assert after - before == pytest.approx(10_000 * power, rel=1e-3)


@pytest.mark.parametrize("layout", ["h100-80gb=3g.40gb@4:2c:1c", "h100-80gb=1g.10gb", "h100-80gb"])
def test_activity_is_what_lies_between_two_samples(backend: Make, layout: str) -> None:
    machine = backend(layout)
    with machine.open() as nvml:
        devices = nvml.mig_devices(GPU_0)
        gi_id, ci_id = (devices[0].gi_id, devices[0].ci_id) if devices else (None, None)
        machine.use(gi_id, ci_id, Step(0, 100, 0.5))
        first = nvml.gpm_sample(GPU_0, gi_id)
        machine.advance(2)
        second = nvml.gpm_sample(GPU_0, gi_id)
        told = dict(zip(GPM_METRICS, nvml.gpm_between(first, second), strict=True))
    of_gi = 1.0
    if len(devices) > 1:
        sm = load("h100-80gb").profile("3g.40gb").sm_count
        of_gi = devices[0].sm_count / sm
    expected = {"graphics": 0.5, "sm": 0.5 * of_gi, "tensor": 0.2 * of_gi, "dram_bandwidth": 0.3}
    assert {name: told[name] for name in expected} == pytest.approx(expected)


def test_samples_that_are_too_close_tell_nothing(backend: Make) -> None:
    machine = backend("h100-80gb=1g.10gb")
    with machine.open() as nvml:
        gi_id = nvml.mig_devices(GPU_0)[0].gi_id
        first = nvml.gpm_sample(GPU_0, gi_id)
        second = nvml.gpm_sample(GPU_0, gi_id)
        assert nvml.gpm_between(first, second) == (None,) * len(GPM_METRICS)
        machine.advance(1)
        second = nvml.gpm_sample(GPU_0, gi_id, second)  # overwritten
        assert nvml.gpm_between(first, second) == (0.0,) * len(GPM_METRICS)


def test_ampere_counts_no_activity(backend: Make) -> None:
    with backend("a100-40gb=1g.5gb").open() as nvml:
        gi_id = nvml.mig_devices(GPU_0)[0].gi_id
        with pytest.raises(NvmlError) as error:
            nvml.gpm_sample(GPU_0, gi_id)
    assert error.value.code == NOT_SUPPORTED


def test_events_name_the_instance_where_it_is_known(backend: Make) -> None:
    machine = backend("h100-80gb=2x1g.10gb", "h100-80gb")
    with machine.open() as nvml:
        one = nvml.mig_devices(GPU_0)[1]
        assert nvml.watch((GPU_0,)) == {GPU_0}
        assert nvml.events() == ()
        machine.xid(94, one.gi_id, one.ci_id)
        machine.xid(79, None, None)
        expected = (GpuEvent(GPU_0, 94, one.gi_id, one.ci_id), GpuEvent(GPU_0, 79, None, None))
        assert nvml.events() == expected
        assert nvml.events() == ()


def test_memory_errors_of_a_slice_begin_at_none(backend: Make) -> None:
    with backend("a100-40gb=2x1g.5gb").open() as nvml:
        assert nvml.sram_uncorrected(FIRST) == 0


@pytest.mark.parametrize("method", ["processes", "energy_mj", "power_w", "gpu", "has_gpm"])
def test_a_lost_gpu_does_not_take_the_others_along(backend: Make, method: str) -> None:
    machine = backend("h100-80gb", "h100-80gb=1g.10gb")
    machine.lose(0)
    with machine.open() as nvml:
        assert nvml.gpu_count() == 2
        assert nvml.gpu(GpuIndex(1)).gpu_index == 1
        with pytest.raises(NvmlError, match="GPU 0") as error:
            getattr(nvml, method)(GPU_0)
    assert error.value.code == GPU_IS_LOST


def test_a_gpu_that_is_not_there(backend: Make) -> None:
    with backend("h100-80gb").open() as nvml, pytest.raises(NvmlError) as error:
        nvml.processes(GpuIndex(7))
    assert error.value.code == INVALID_ARGUMENT
