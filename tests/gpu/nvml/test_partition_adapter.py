"""The partitioning half of the adapter: what it asks, and every call going wrong."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.nvml.codes import IN_USE
from slurm_mig.gpu.nvml.partition_adapter import partition_session
from slurm_mig.gpu.nvml.partition_port import PartitionNvml
from slurm_mig.gpu.partitioning import CiSpec
from slurm_mig.gpu.present.survey import survey
from slurm_mig.model import CiId, GiId, GpuIndex, Placement, ProfileId
from tests.sim import library
from tests.sim.api import Sim
from tests.sim.errors import code_of

GPU_0 = GpuIndex(0)
GI_3G, CI_0 = GiId(1), CiId(0)
CHANGES: dict[str, Callable[[PartitionNvml], object]] = {
    "nvmlDeviceSetMigMode": lambda nvml: nvml.set_mig_mode(GPU_0, True),
    "nvmlDeviceCreateGpuInstanceWithPlacement": lambda nvml: nvml.create_gi(
        GPU_0, ProfileId(14), Placement(4, 2)
    ),
    "nvmlGpuInstanceGetInfo": lambda nvml: nvml.create_gi(GPU_0, ProfileId(14), Placement(4, 2)),
    "nvmlGpuInstanceCreateComputeInstanceWithPlacement": lambda nvml: nvml.create_ci(
        GPU_0, GI_3G, CiSpec("1c.3g.40gb", start=2)
    ),
    "nvmlGpuInstanceCreateComputeInstance": lambda nvml: nvml.create_ci(
        GPU_0, GI_3G, CiSpec("1c.3g.40gb")
    ),
    "nvmlGpuInstanceGetComputeInstanceProfileInfoV": lambda nvml: nvml.create_ci(
        GPU_0, GI_3G, CiSpec("1c.3g.40gb")
    ),
    "nvmlGpuInstanceGetComputeInstancePossiblePlacements": lambda nvml: nvml.create_ci(
        GPU_0, GI_3G, CiSpec("1c.3g.40gb", start=2)
    ),
    "nvmlComputeInstanceGetInfo_v2": lambda nvml: nvml.create_ci(
        GPU_0, GI_3G, CiSpec("1c.3g.40gb")
    ),
    "nvmlDeviceGetGpuInstanceById": lambda nvml: nvml.destroy_ci(GPU_0, GI_3G, CI_0),
    "nvmlGpuInstanceGetComputeInstanceById": lambda nvml: nvml.destroy_ci(GPU_0, GI_3G, CI_0),
    "nvmlComputeInstanceDestroy": lambda nvml: nvml.destroy_ci(GPU_0, GI_3G, CI_0),
    "nvmlGpuInstanceDestroy": lambda nvml: nvml.destroy_gi(GPU_0, GiId(9)),
}
LOOKS = [
    "nvmlDeviceGetCount_v2",
    "nvmlDeviceGetPciInfo_v3",
    "nvmlDeviceGetArchitecture",
    "nvmlDeviceGetGpuInstanceProfileInfoV",
    "nvmlDeviceGetGpuInstancePossiblePlacements_v2",
    "nvmlDeviceGetGpuInstances",
    "nvmlDeviceGetGpuInstanceById",
    "nvmlGpuInstanceGetComputeInstanceProfileInfoV",
    "nvmlGpuInstanceGetComputeInstances",
    "nvmlComputeInstanceGetInfo_v2",
]
CODES = ["UNINITIALIZED", "NO_PERMISSION", "GPU_IS_LOST", "RESET_REQUIRED", "TIMEOUT", "UNKNOWN"]


@pytest.fixture
def sim(
    new_sim: Callable[..., Sim], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sim]:
    """An H100 with a 3g that has one 1c, and an empty 1g; its calls are written to `trace`."""
    made = new_sim("h100-80gb=3g.40gb@0:1c/1g.10gb@6:none", "a100-40gb")
    library.load()
    monkeypatch.setenv("MIGSIM_DIR", str(made.dir))
    made.trace(tmp_path / "trace")
    yield made
    made.trace(None)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("call", CHANGES)
def test_a_change_that_fails_is_an_error(sim: Sim, call: str, code: str) -> None:
    gi_ids = {gi["profile"]: gi["gi_id"] for gi in sim.show()["gpus"][0]["gpu_instances"]}
    assert gi_ids["3g.40gb"] == GI_3G
    sim.fault(call, code=code)
    act = CHANGES[call]
    if call == "nvmlGpuInstanceDestroy":
        act = lambda nvml: nvml.destroy_gi(GPU_0, GiId(gi_ids["1g.10gb"]))  # noqa: E731
    with partition_session() as nvml, pytest.raises(NvmlError, match=r"^GPU 0") as error:
        act(nvml)
    assert error.value.code == code_of(code)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("call", LOOKS)
def test_a_look_that_fails_is_an_error(sim: Sim, call: str, code: str) -> None:
    """What could not be looked at is never told as empty."""
    sim.fault(call, code=code)
    with partition_session() as nvml, pytest.raises(NvmlError) as error:
        survey(nvml)
    assert error.value.code == code_of(code)


def test_a_look_asks_nothing_twice(sim: Sim, tmp_path: Path) -> None:
    with partition_session() as nvml:
        survey(nvml)
    made = Counter(line.split()[1] for line in (tmp_path / "trace").read_text().splitlines())
    assert made["nvmlDeviceGetGpuInstanceProfileInfoV"] == 19  # of the GPU with MIG, to its end
    assert made["nvmlDeviceGetHandleByIndex_v2"] == 2
    assert made["nvmlDeviceGetGpuInstances"] == 7
    assert made["nvmlInitWithFlags"] == made["nvmlShutdown"] == 1


def test_an_old_driver_that_places_compute_instances_itself(sim: Sim) -> None:
    call = "nvmlGpuInstanceCreateComputeInstanceWithPlacement"
    sim.fault(call, code="FUNCTION_NOT_FOUND", once=False)
    with partition_session() as nvml:
        nvml.create_ci(GPU_0, GI_3G, CiSpec("1c.3g.40gb", start=2))
        gi = nvml.live_instances(GPU_0)[0]
    assert [ci.spec.start for ci in gi.cis] == [0, 1]  # whoever minds compares


def test_the_two_answers_to_a_change_of_mode(sim: Sim) -> None:
    """SUCCESS and, beside it, how far it got: IN_USE is an error, RESET_REQUIRED a pending mode."""
    with partition_session() as nvml:
        with pytest.raises(NvmlError, match="MIG mode off does not take effect") as error:
            nvml.set_mig_mode(GPU_0, False)
        assert error.value.code == IN_USE
        mode = nvml.set_mig_mode(GpuIndex(1), True)
    assert (mode.current, mode.pending) == (False, True)
