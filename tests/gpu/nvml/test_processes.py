"""NVML's process lists of simulated machines."""

from collections.abc import Callable

import pytest

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.nvml.processes import GpuProcess, PynvmlProcesses
from slurm_mig.model import CiId, GiId, GpuIndex
from tests.sim.api import Sim
from tests.sim.truth import slices

Open = Callable[..., Sim]
FIRST = GpuIndex(0)


def test_nobody(open_nvml: Open) -> None:
    open_nvml("h100-80gb=2x3g.40gb")
    assert PynvmlProcesses().processes(FIRST) == ()


def test_each_with_its_instance(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=3g.40gb@4:2c:1c/1g.10gb@0", "l40s")
    second = slices(sim)[1]
    with (
        sim.running(second.uuid) as compute,
        sim.running(second.uuid, kind="graphics") as drawing,
        sim.running("1") as whole,
        sim.running("0", kind="client"),
    ):
        place = GiId(second.gi_id), CiId(second.ci_id)
        expected = sorted([GpuProcess(compute.pid, *place), GpuProcess(drawing.pid, *place)])
        assert PynvmlProcesses().processes(FIRST) == tuple(expected)
        assert PynvmlProcesses().processes(GpuIndex(1)) == (GpuProcess(whole.pid, None, None),)


def test_a_driver_without_the_newest_call(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=3g.40gb")
    for kind in ("Compute", "Graphics"):
        call = f"nvmlDeviceGet{kind}RunningProcesses_v3"
        sim.fault(call, code="FUNCTION_NOT_FOUND", once=False)
    with sim.running() as process:
        (found,) = PynvmlProcesses().processes(FIRST)
        assert found.pid == process.pid


def test_no_graphics_on_this_gpu(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=3g.40gb")
    sim.fault("nvmlDeviceGetGraphicsRunningProcesses_v3", code="NOT_SUPPORTED", once=False)
    assert PynvmlProcesses().processes(FIRST) == ()


@pytest.mark.parametrize("code", ["NO_PERMISSION", "UNKNOWN", "TIMEOUT"])
def test_no_answer_is_an_error_that_names_the_gpu(open_nvml: Open, code: str) -> None:
    sim = open_nvml("h100-80gb=3g.40gb")
    sim.fault("nvmlDeviceGetComputeRunningProcesses_v3", code=code)
    with pytest.raises(NvmlError, match=r"^GPU 0: NVML: "):
        PynvmlProcesses().processes(FIRST)


def test_a_lost_gpu(open_nvml: Open) -> None:
    open_nvml("h100-80gb").lose(0)
    with pytest.raises(NvmlError, match="fell off the bus"):
        PynvmlProcesses().processes(FIRST)
