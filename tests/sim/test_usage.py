"""What is measured is what was done: memory, processes, GPM, energy, errors and events."""

import math
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pynvml
import pytest

from tests.sim import library
from tests.sim.api import Sim
from tests.sim.library import NONE, Step
from tests.sim.nvml_calls import refused

Open = Callable[..., Sim]
MIB = 1 << 20
GRAPHICS, SM, DRAM, NVLINK = 1, 2, 10, 60


def steps(*values: tuple[float, int, float]) -> list[Step]:
    return [Step(round(at * 1e9), memory * MIB, activity) for at, memory, activity in values]


def put(sim: Sim, place: tuple[int, int, int], *values: tuple[float, int, float]) -> int:
    """This test's own process, on a GPU or slice; its pid."""
    assert library.add_process(sim.dir, os.getpid(), 0, place, steps(*values)) == 0
    return os.getpid()


def mig(index: int) -> Any:
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    return pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, index)


def place_of(handle: Any) -> tuple[int, int, int]:
    gi = pynvml.nvmlDeviceGetGpuInstanceId(handle)
    return 0, gi, pynvml.nvmlDeviceGetComputeInstanceId(handle)


def sample(gi_id: int) -> Any:
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    return pynvml.nvmlGpmMigSampleGet(gpu, gi_id, pynvml.nvmlGpmSampleAlloc())


def between(first: Any, second: Any, *metrics: int) -> list[tuple[int, float]]:
    get = pynvml.c_nvmlGpmMetricsGet_t()
    get.version, get.numMetrics = pynvml.NVML_GPM_METRICS_GET_VERSION, len(metrics)
    get.sample1, get.sample2 = first, second
    for at, metric in enumerate(metrics):
        get.metrics[at].metricId = metric
    pynvml.nvmlGpmMetricsGet(get)
    for one in (first, second):
        pynvml.nvmlGpmSampleFree(one)
    return [(get.metrics[at].nvmlReturn, get.metrics[at].value) for at in range(len(metrics))]


def test_memory_follows_its_steps(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=3g.40gb/2g.20gb")
    sim.freeze()
    first = mig(0)
    idle = pynvml.nvmlDeviceGetMemoryInfo(first).used
    put(sim, place_of(first), (0, 1000, 1), (5, 3000, 1), (6, 500, 0))
    seen = []
    for _ in range(8):
        seen.append((pynvml.nvmlDeviceGetMemoryInfo(first).used - idle) // MIB)
        sim.advance(1)
    assert seen == [1000] * 5 + [3000] + [500] * 2
    v2 = pynvml.nvmlDeviceGetMemoryInfo(first, pynvml.nvmlMemory_v2)
    assert v2.used + v2.reserved + v2.free == v2.total
    assert v2.used == 500 * MIB


def test_an_idle_slice_shows_what_captures_show(open_nvml: Open) -> None:
    open_nvml("h100-80gb=3g.40gb/2g.20gb/1g.10gb")
    used = [pynvml.nvmlDeviceGetMemoryInfo(mig(index)).used // MIB for index in range(3)]
    assert used == [26, 17, 9]


def test_compute_instances_share_memory_but_not_processes(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=3g.40gb:1c:2c")
    pid = put(sim, place_of(mig(1)), (0, 100, 1))
    assert len({pynvml.nvmlDeviceGetMemoryInfo(mig(index)).used for index in range(2)}) == 1
    assert pynvml.nvmlDeviceGetComputeRunningProcesses(mig(0)) == []
    (process,) = pynvml.nvmlDeviceGetComputeRunningProcesses(mig(1))
    found = (process.pid, process.usedGpuMemory, process.gpuInstanceId, process.computeInstanceId)
    assert found == (pid, 100 * MIB, *place_of(mig(1))[1:])


def test_every_version_of_the_process_list(open_nvml: Open) -> None:
    sim = open_nvml("l40s")
    pid = put(sim, (0, NONE, NONE), (0, 64, 1))
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    for call in (
        pynvml.nvmlDeviceGetComputeRunningProcesses_v2,
        pynvml.nvmlDeviceGetComputeRunningProcesses_v3,
    ):
        (process,) = call(gpu)
        assert (process.pid, process.gpuInstanceId) == (pid, 0xFFFFFFFF)
    mode = pynvml.NVML_PROCESS_MODE_COMPUTE
    (detail,) = pynvml.nvmlDeviceGetRunningProcessDetailList(
        gpu, pynvml.nvmlProcessDetailList_v1, mode
    )
    assert (detail.pid, detail.usedGpuMemory) == (pid, 64 * MIB)
    assert pynvml.nvmlDeviceGetGraphicsRunningProcesses(gpu) == []


def test_clients_hold_a_gpu_unseen(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb")
    assert library.add_process(sim.dir, os.getpid(), 2, (0, NONE, NONE), []) == 0
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    assert pynvml.nvmlDeviceGetComputeRunningProcesses(gpu) == []
    assert pynvml.nvmlDeviceSetMigMode(gpu, 1) == pynvml.NVML_ERROR_IN_USE


def test_a_process_that_died_is_gone(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=2g.20gb")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        place = place_of(mig(0))
        assert library.add_process(sim.dir, process.pid, 0, place, steps((0, 10, 1))) == 0
        assert len(pynvml.nvmlDeviceGetComputeRunningProcesses(mig(0))) == 1
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet waited for
        assert pynvml.nvmlDeviceGetComputeRunningProcesses(mig(0)) == []


def test_gpm_tells_the_activity_of_a_gpu_instance(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=3g.40gb:1c:2c/2g.20gb")
    sim.freeze()
    place = place_of(mig(0))
    put(sim, place, (0, 1, 0.5), (6, 1, 1.0))
    first = sample(place[1])
    sim.advance(10)
    ((_, graphics), (_, sm), (_, dram)) = between(first, sample(place[1]), GRAPHICS, SM, DRAM)
    assert graphics == pytest.approx(70)  # 6 s at 0.5 and 4 s at 1
    assert sm == pytest.approx(70 * 16 / 60)  # the 1c has 16 of the instance's 60 SM
    assert dram == pytest.approx(42)


def test_work_counts_after_the_process_has_ended(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=2g.20gb")
    sim.freeze()
    place = place_of(mig(0))
    first = sample(place[1])
    pid = put(sim, place, (0, 1, 1.0))
    sim.advance(3)
    library.must("process_remove", sim.dir, pid)
    sim.advance(7)
    ((code, sm),) = between(first, sample(place[1]), SM)
    assert code == pynvml.NVML_SUCCESS
    assert sm == pytest.approx(30)


def test_samples_too_close_are_no_number(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=2g.20gb")
    sim.freeze()
    gi = place_of(mig(0))[1]
    first = sample(gi)
    sim.advance(0.05)
    ((code, value),) = between(first, sample(gi), SM)
    assert code == pynvml.NVML_SUCCESS and math.isnan(value)


def test_each_metric_answers_for_itself(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=2g.20gb")
    sim.freeze()
    gi = place_of(mig(0))[1]
    first = sample(gi)
    sim.advance(1)
    codes = [code for code, _ in between(first, sample(gi), SM, NVLINK, 99)]
    not_supported = pynvml.NVML_ERROR_NOT_SUPPORTED
    assert codes == [pynvml.NVML_SUCCESS, not_supported, not_supported]


def test_gpm_wrong_uses(open_nvml: Open) -> None:
    open_nvml("h100-80gb=2g.20gb", "a100-40gb=2g.10gb")
    hopper, ampere = (pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(2))
    buffer = pynvml.nvmlGpmSampleAlloc()
    with refused(pynvml.NVML_ERROR_NOT_SUPPORTED):
        pynvml.nvmlGpmMigSampleGet(ampere, 3, buffer)
    with refused(pynvml.NVML_ERROR_NOT_SUPPORTED):
        pynvml.nvmlGpmSampleGet(hopper, buffer)
    with refused(pynvml.NVML_ERROR_INVALID_ARGUMENT):
        pynvml.nvmlGpmMigSampleGet(hopper, 9, buffer)
    pynvml.nvmlGpmSampleGet(mig(0), buffer)
    pynvml.nvmlGpmSampleFree(buffer)


def test_gpm_of_a_whole_gpu(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb")
    sim.freeze()
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    put(sim, (0, NONE, NONE), (0, 1, 0.25))
    first = pynvml.nvmlGpmSampleGet(gpu, pynvml.nvmlGpmSampleAlloc())
    sim.advance(4)
    second = pynvml.nvmlGpmSampleGet(gpu, pynvml.nvmlGpmSampleAlloc())
    codes, values = zip(*between(first, second, SM, NVLINK), strict=True)
    assert codes == (pynvml.NVML_SUCCESS, pynvml.NVML_SUCCESS)
    assert values == pytest.approx((25, 0))


def test_a_sample_of_another_incarnation_is_not_marked(open_nvml: Open) -> None:
    """The trap: the GI id is the same, the counters began anew, and no call says so."""
    sim = open_nvml("h100-80gb=2g.20gb@0")
    sim.freeze()
    place = place_of(mig(0))
    put(sim, place, (0, 1, 1.0))
    sim.advance(50)
    first = sample(place[1])
    sim.partition(0, "2g.20gb@0")
    sim.advance(1)
    ((code, value),) = between(first, sample(place[1]), SM)
    assert code == pynvml.NVML_SUCCESS and value < 0


def test_energy_is_of_the_whole_gpu_and_adds_up(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=3g.40gb/3g.40gb")
    model = sim.model(0)
    sim.freeze()
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    before = pynvml.nvmlDeviceGetTotalEnergyConsumption(gpu)
    put(sim, place_of(mig(0)), (0, 1, 0.5))
    share = 0.5 * 60 / model.sm_count
    span = model.power_limit_w - model.power_idle_w
    assert pynvml.nvmlDeviceGetPowerUsage(gpu) == pytest.approx(
        1000 * (model.power_idle_w + span * share), abs=1
    )
    sim.advance(20)
    used = pynvml.nvmlDeviceGetTotalEnergyConsumption(gpu) - before
    assert used == pytest.approx(20_000 * (model.power_idle_w + span * share), abs=2)
    for call in (pynvml.nvmlDeviceGetTotalEnergyConsumption, pynvml.nvmlDeviceGetPowerUsage):
        with refused(pynvml.NVML_ERROR_NOT_SUPPORTED):
            call(mig(0))


def test_utilisation_is_told_only_without_mig(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=2g.20gb", "l40s")
    put(sim, (1, NONE, NONE), (0, 1, 0.8))
    sliced, whole = (pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(2))
    assert pynvml.nvmlDeviceGetUtilizationRates(whole).gpu == 80
    for handle in (sliced, mig(0)):
        with refused(pynvml.NVML_ERROR_NOT_SUPPORTED):
            pynvml.nvmlDeviceGetUtilizationRates(handle)


def test_sram_errors_belong_to_a_slice(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=3g.40gb/2g.20gb")
    sim.ecc(0, 2, gi_id=place_of(mig(1))[1])
    sim.ecc(0, 5, uncorrected=False)

    def sram(handle: Any) -> int:
        count: int = pynvml.nvmlDeviceGetMemoryErrorCounter(handle, 1, 0, 7)
        return count

    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    assert [sram(mig(0)), sram(mig(1)), sram(gpu)] == [0, 2, 2]
    assert pynvml.nvmlDeviceGetTotalEccErrors(gpu, 1, 0) == 2
    assert pynvml.nvmlDeviceGetTotalEccErrors(gpu, 0, 0) == 5
    with refused(pynvml.NVML_ERROR_NOT_SUPPORTED):
        pynvml.nvmlDeviceGetMemoryErrorCounter(mig(0), 1, 0, 2)  # DRAM: of the GPU only


def test_xid_events_name_their_slice(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=3g.40gb", "l40s")
    sim.xid(0, 13)  # before anyone listens: nobody hears of it
    events = pynvml.nvmlEventSetCreate()
    first, second = (pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(2))
    kind = pynvml.nvmlEventTypeXidCriticalError
    pynvml.nvmlDeviceRegisterEvents(first, kind, events)
    with refused(pynvml.NVML_ERROR_TIMEOUT):
        pynvml.nvmlEventSetWait_v2(events, 10)
    sim.xid(1, 48)  # not registered
    sim.xid(0, 94, *place_of(mig(0))[1:])
    sim.xid(0, 79)
    seen = [pynvml.nvmlEventSetWait_v2(events, 1000) for _ in range(2)]
    assert [(one.eventType, one.eventData) for one in seen] == [(kind, 94), (kind, 79)]
    assert (seen[0].gpuInstanceId, seen[0].computeInstanceId) == place_of(mig(0))[1:]
    assert (seen[1].gpuInstanceId, seen[1].computeInstanceId) == (0xFFFFFFFF, 0xFFFFFFFF)
    with refused(pynvml.NVML_ERROR_NOT_SUPPORTED):
        pynvml.nvmlDeviceRegisterEvents(mig(0), kind, events)
    pynvml.nvmlDeviceRegisterEvents(second, kind, events)
    sim.lose(1)
    with refused(pynvml.NVML_ERROR_GPU_IS_LOST):
        pynvml.nvmlEventSetWait_v2(events, 1000)
    pynvml.nvmlEventSetFree(events)


def test_a_change_of_geometry_is_an_event(open_nvml: Open) -> None:
    open_nvml("h100-80gb=mig")
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    events = pynvml.nvmlEventSetCreate()
    pynvml.nvmlDeviceRegisterEvents(gpu, pynvml.nvmlEventMigConfigChange, events)
    pynvml.nvmlDeviceCreateGpuInstance(gpu, 0)
    seen = pynvml.nvmlEventSetWait_v2(events, 1000)
    assert (seen.eventType, seen.gpuInstanceId) == (pynvml.nvmlEventMigConfigChange, 0)
    pynvml.nvmlEventSetFree(events)


def test_a_clock_let_go_runs_on(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb")
    sim.advance(100)
    stopped = sim.show()["now_ns"]
    assert sim.show()["now_ns"] == stopped
    sim.thaw()
    assert 0 < sim.show()["now_ns"] - stopped < 10_000_000_000
