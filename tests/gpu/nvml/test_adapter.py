"""The adapter over nvidia-ml-py: sessions, and every call going wrong in every way."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.nvml.adapter import session
from slurm_mig.gpu.present.discover import discover
from slurm_mig.model import Node
from tests.sim import library
from tests.sim.api import Sim
from tests.sim.errors import code_of

GPUS = ["h100-80gb=3g.40gb:1c:2c/1g.10gb", "a100-40gb=balanced", "l40s"]
START = ["nvmlInitWithFlags"]
CALLS = [
    "nvmlSystemGetDriverVersion",
    "nvmlDeviceGetCount_v2",
    "nvmlDeviceGetHandleByIndex_v2",
    "nvmlDeviceGetMigMode",
    "nvmlDeviceGetMinorNumber",
    "nvmlDeviceGetUUID",
    "nvmlDeviceGetName",
    "nvmlDeviceGetPciInfo_v3",
    "nvmlDeviceGetMemoryInfo",
    "nvmlDeviceGetCpuAffinity",
    "nvmlDeviceGetMaxMigDeviceCount",
    "nvmlDeviceGetMigDeviceHandleByIndex",
    "nvmlDeviceGetAttributes_v2",
    "nvmlDeviceGetGpuInstanceId",
    "nvmlDeviceGetComputeInstanceId",
    "nvmlDeviceGetGpuInstanceProfileInfoV",
    "nvmlDeviceGetGpuInstances",
    "nvmlGpuInstanceGetInfo",
]
END = ["nvmlShutdown"]
CODES = ["UNINITIALIZED", "NO_PERMISSION", "NOT_FOUND", "GPU_IS_LOST", "RESET_REQUIRED", "UNKNOWN"]
# Answers that mean something other than trouble; everything else must be an error.
HARMLESS = {
    ("nvmlDeviceGetCpuAffinity", "NOT_FOUND"),  # cores unknown
    ("nvmlDeviceGetMigDeviceHandleByIndex", "NOT_FOUND"),  # an empty slot
    ("nvmlDeviceGetGpuInstances", "NO_PERMISSION"),  # not root: placements unknown
    ("nvmlGpuInstanceGetInfo", "NO_PERMISSION"),
    ("nvmlDeviceGetGpuInstanceProfileInfoV", "NO_PERMISSION"),
}


@pytest.fixture
def sim(
    new_sim: Callable[..., Sim], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sim]:
    """A machine whose calls are written to `trace`, seen by NVML in this process."""
    made = new_sim(*GPUS)
    library.load()
    monkeypatch.setenv("MIGSIM_DIR", str(made.dir))
    made.trace(tmp_path / "trace")
    yield made
    made.trace(None)


def look(sim: Sim) -> Node:
    with session() as nvml:
        # The machine's own /sys, so that cores are asked for.
        (sim.root / "sys").symlink_to("/sys")
        return discover(nvml, sim.root)


def calls_made(sim: Sim) -> Counter[str]:
    lines = (sim.dir.parent / "trace").read_text().splitlines()
    return Counter(line.split()[1] for line in lines)


def test_these_are_all_calls_and_each_session_ends(sim: Sim) -> None:
    look(sim)
    made = calls_made(sim)
    assert set(made) == {*START, *CALLS, *END}
    assert (made[START[0]], made[END[0]]) == (1, 1)


def test_nothing_is_asked_twice(sim: Sim) -> None:
    """Each call is a trip into the driver: none is made for what is known already."""
    slices = sum(len(gpu.mig_devices) for gpu in look(sim).gpus)
    made = calls_made(sim)
    assert made["nvmlDeviceGetHandleByIndex_v2"] == len(GPUS)
    assert made["nvmlDeviceGetUUID"] == made["nvmlDeviceGetName"] == len(GPUS) + slices
    assert made["nvmlDeviceGetMaxMigDeviceCount"] == 2  # the GPUs with MIG on


def test_a_session_ends_also_when_its_user_fails(sim: Sim) -> None:
    with pytest.raises(KeyError), session():
        raise KeyError
    assert calls_made(sim)[END[0]] == 1


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_fails_is_an_error_or_means_something(sim: Sim, call: str, code: str) -> None:
    sim.fault(call, code=code, once=False)
    if (call, code) in HARMLESS:
        look(sim)
    else:
        with pytest.raises(NvmlError) as error:
            look(sim)
        assert error.value.code == code_of(code)
        assert "\n" not in str(error.value)
    made = calls_made(sim)
    assert (made[START[0]], made[END[0]]) == (1, 1)


@pytest.mark.parametrize("code", ["LIBRARY_NOT_FOUND", "DRIVER_NOT_LOADED", "NO_PERMISSION"])
def test_a_session_that_cannot_begin_need_not_end(sim: Sim, code: str) -> None:
    sim.fault(START[0], code=code)
    with pytest.raises(NvmlError, match=r"^this machine: NVML: ") as error:
        look(sim)
    assert error.value.code == code_of(code)
    assert END[0] not in calls_made(sim)


def test_without_permission_the_rest_is_still_told(sim: Sim) -> None:
    sim.fault("nvmlDeviceGetGpuInstances", code="NO_PERMISSION", once=False)
    node = look(sim)
    assert {d.spec.placement for gpu in node.gpus for d in gpu.mig_devices} == {None}
    assert any("run as root" in warning for warning in node.warnings)


def test_an_old_driver_without_profile_names(sim: Sim) -> None:
    sim.fault("nvmlDeviceGetGpuInstanceProfileInfoV", code="FUNCTION_NOT_FOUND", once=False)
    node = look(sim)
    assert [len(gpu.mig_devices) for gpu in node.gpus] == [3, 4, 0]
    assert node.gpus[0].mig_devices[0].spec.placement is None
