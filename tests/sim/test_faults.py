"""Injected failures: which call, which time, which process, and what else stays as it is."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pynvml
import pytest

from tests.sim.api import Sim
from tests.sim.errors import SimError
from tests.sim.nvml_calls import refused

Open = Callable[..., Sim]
COUNT = "nvmlDeviceGetCount_v2"


def count_result() -> int:
    try:
        pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError as error:
        code: int = error.value
        return code
    return 0


@pytest.mark.parametrize(
    ("once", "wanted"), [(True, [0, 0, 19, 0, 0]), (False, [0, 0, 19, 19, 19])]
)
def test_after_so_many_calls_once_or_always(once: bool, wanted: list[int], open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb")
    sim.fault(COUNT, code="IN_USE", after=2, once=once)
    assert [count_result() for _ in range(5)] == wanted
    sim.clear_faults()
    assert count_result() == 0


def test_one_call_only_or_any(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb")
    sim.fault("nvmlDeviceGetName", code="TIMEOUT", once=False)
    assert count_result() == 0
    sim.fault("*", code="UNKNOWN")
    assert count_result() == pynvml.NVML_ERROR_UNKNOWN
    assert count_result() == 0


def test_one_process_only_or_any(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb")
    sim.fault(COUNT, code="IN_USE", once=False, pid=os.getpid() + 1)
    assert count_result() == 0
    sim.fault(COUNT, code="IN_USE", once=False, pid=os.getpid())
    assert count_result() == pynvml.NVML_ERROR_IN_USE


def test_calls_of_all_processes_are_counted_together(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb")
    sim.fault(COUNT, code="IN_USE", after=1)
    script = "import pynvml; pynvml.nvmlInit(); pynvml.nvmlDeviceGetCount()"
    subprocess.run([sys.executable, "-c", script], env={**os.environ, **sim.env()}, check=True)
    assert count_result() == pynvml.NVML_ERROR_IN_USE


def test_a_refused_change_has_no_effect_and_a_late_one_has(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=mig")
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    for late in (False, True):
        sim.fault("nvmlDeviceCreateGpuInstance", code="UNKNOWN", late=late)
        with refused(pynvml.NVML_ERROR_UNKNOWN):
            pynvml.nvmlDeviceCreateGpuInstance(gpu, 19)
        assert len(sim.show()["gpus"][0]["gpu_instances"]) == int(late)


def test_init_and_stubs_fail_on_demand_too(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb")
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    with refused(pynvml.NVML_ERROR_NOT_SUPPORTED):
        pynvml.nvmlDeviceGetNvLinkState(gpu, 0)
    sim.fault("nvmlDeviceGetNvLinkState", code="GPU_IS_LOST")
    with refused(pynvml.NVML_ERROR_GPU_IS_LOST):
        pynvml.nvmlDeviceGetNvLinkState(gpu, 0)
    sim.fault("nvmlInitWithFlags", code="DRIVER_NOT_LOADED")
    with refused(pynvml.NVML_ERROR_DRIVER_NOT_LOADED):
        pynvml.nvmlInit()
    sim.fault("nvmlInitWithFlags", code="UNKNOWN", late=True)
    with refused(pynvml.NVML_ERROR_UNKNOWN):
        pynvml.nvmlInit()
    pynvml.nvmlInit()
    pynvml.nvmlShutdown()
    pynvml.nvmlShutdown()
    with refused(pynvml.NVML_ERROR_UNINITIALIZED):
        pynvml.nvmlDeviceGetCount()
    pynvml.nvmlInit()


def test_a_hang_delays_and_disturbs_nobody_else(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb")
    sim.fault(COUNT, hang_ms=400)
    script = "import pynvml; pynvml.nvmlInit(); pynvml.nvmlDeviceGetCount()"
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-c", script], env={**os.environ, **sim.env()}
    ) as process:
        while process.poll() is None and not sim.show()["faults"][0]["seen"]:
            time.sleep(0.005)
        looked = time.monotonic()
        pynvml.nvmlDeviceGetHandleByIndex(0)
        assert time.monotonic() - looked < 0.2
    assert process.returncode == 0
    assert time.monotonic() - began >= 0.4


def test_a_killed_caller_is_killed(new_sim: Open) -> None:
    sim = new_sim("h100-80gb")
    sim.fault(COUNT, kill=True)
    script = "import pynvml; pynvml.nvmlInit(); pynvml.nvmlDeviceGetCount()"
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, **sim.env()})
    assert done.returncode == -signal.SIGKILL


def test_a_gpu_that_fell_off_the_bus(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=2g.20gb", "l40s")
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    mig = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, 0)
    sim.lose(0)
    calls: list[Callable[[], Any]] = [
        lambda: pynvml.nvmlDeviceGetHandleByIndex(0),
        lambda: pynvml.nvmlDeviceGetName(gpu),
        lambda: pynvml.nvmlDeviceGetUUID(mig),
        lambda: pynvml.nvmlDeviceSetMigMode(gpu, 0),
    ]
    for call in calls:
        with refused(pynvml.NVML_ERROR_GPU_IS_LOST):
            call()
    assert pynvml.nvmlDeviceGetCount() == 2
    assert pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(1)) == "NVIDIA L40S"
    sim.reset(0)
    assert pynvml.nvmlDeviceGetName(gpu) == "NVIDIA H100 80GB HBM3"


def test_the_trace_counts_calls(
    open_nvml: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = open_nvml("h100-80gb")
    sim.trace(tmp_path / "trace")
    count_result()
    sim.fault(COUNT, code="IN_USE")
    count_result()
    sim.trace(None)
    count_result()
    monkeypatch.setenv("MIGSIM_TRACE", str(tmp_path / "mine"))
    count_result()
    me = os.getpid()
    lines = (tmp_path / "trace").read_text().splitlines()
    assert lines == [f"{me} {COUNT} 0", f"{me} {COUNT} 19"]
    assert (tmp_path / "mine").read_text() == f"{me} {COUNT} 0\n"


def test_codes_have_names() -> None:
    sim = Sim(Path("/nowhere"))
    with pytest.raises(SimError, match="no NVML code 'BROKEN': there are SUCCESS, UNINIT"):
        sim.fault("*", code="BROKEN")


def test_faults_have_an_end(new_sim: Open) -> None:
    sim = new_sim("l40s")
    for _ in range(32):
        sim.fault("*")
    with pytest.raises(SimError, match="INSUFFICIENT_RESOURCES"):
        sim.fault("*")
