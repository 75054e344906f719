"""The rules of MIG that no client of ours tests: orders, ids, exclusions, what is in use."""

from collections.abc import Callable
from typing import Any

import pynvml
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sim import library
from tests.sim.api import Sim
from tests.sim.models import GpuModel, load, mig_keys
from tests.sim.nvml_calls import refused

Open = Callable[..., Sim]


def create(profile_id: int, gpu_index: int = 0) -> Any:
    gpu = pynvml.nvmlDeviceGetHandleByIndex(gpu_index)
    gi = pynvml.nvmlDeviceCreateGpuInstance(gpu, profile_id)
    return pynvml.nvmlGpuInstanceGetInfo(gi)


def ids(count: int, profile_id: int) -> list[int]:
    return [create(profile_id).id for _ in range(count)]


def test_seven_small_ones_come_in_the_published_order(open_nvml: Open) -> None:
    open_nvml("a100-40gb=mig")
    assert ids(7, 19) == [13, 11, 12, 7, 8, 9, 10]


def test_three_of_two_slices_come_in_the_published_order(open_nvml: Open) -> None:
    open_nvml("a100-40gb=mig")
    assert ids(3, 14) == [5, 3, 4]


def test_small_ones_first_leave_no_room_for_a_large_one(open_nvml: Open) -> None:
    open_nvml("a100-40gb=mig")
    for profile_id in (19, 19, 14):
        create(profile_id)
    with refused(pynvml.NVML_ERROR_INSUFFICIENT_RESOURCES):
        create(9)


@pytest.mark.parametrize(("numbering", "wanted"), [("a", {0: 1, 4: 2}), ("b", {0: 2, 4: 1})])
def test_both_numberings_of_the_halves(
    numbering: str, wanted: dict[int, int], open_nvml: Open
) -> None:
    open_nvml("h100-80gb=mig", numbering=numbering)
    made = [create(9) for _ in range(2)]
    assert {info.placement.start: info.id for info in made} == wanted


@pytest.mark.parametrize(
    ("layout", "wanted"),
    [("7g.80gb", [0]), ("3x2g.20gb", [3, 4, 5]), ("4x1g.20gb", [3, 4, 5, 6])],
)
def test_gi_ids_follow_the_size(layout: str, wanted: list[int], new_sim: Open) -> None:
    gpu = new_sim(f"h100-80gb={layout}").show()["gpus"][0]
    assert [gi["gi_id"] for gi in gpu["gpu_instances"]] == wanted


def test_twelve_units_have_the_same_fractions(new_sim: Open) -> None:
    gpu = new_sim("rtx-pro-6000-96gb=2g.48gb@0/2x1g.24gb").show()["gpus"][0]
    assert [gi["gi_id"] for gi in gpu["gpu_instances"]] == [1, 5, 6]


def test_only_one_instance_has_the_media_engines(open_nvml: Open) -> None:
    open_nvml("h100-80gb=1g.10gb+me@0")
    with refused(pynvml.NVML_ERROR_INSUFFICIENT_RESOURCES):
        create(20)
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    assert pynvml.nvmlDeviceGetGpuInstanceRemainingCapacity(gpu, 20) == 0
    assert pynvml.nvmlDeviceGetGpuInstanceRemainingCapacity(gpu, 19) == 6


def test_the_media_engines_of_two_profiles_exclude_each_other(open_nvml: Open) -> None:
    open_nvml("a30-24gb=1g.6gb+me@0")
    with refused(pynvml.NVML_ERROR_INSUFFICIENT_RESOURCES):
        create(6)  # 2g.12gb+me


def test_all_media_engines_leave_room_for_those_without_any(open_nvml: Open) -> None:
    open_nvml("rtx-pro-6000-96gb=1g.24gb+me.all@0")
    for profile_id in (14, 21, 47):  # 1g.24gb, +me, +gfx
        with refused(pynvml.NVML_ERROR_INSUFFICIENT_RESOURCES):
            create(profile_id)
    assert create(67).placement.start > 0  # -me


def test_a_busy_instance_stays(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=3g.40gb@0/3g.40gb@4")
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    first = sim.show()["gpus"][0]["gpu_instances"][0]
    gi = pynvml.nvmlDeviceGetGpuInstanceById(gpu, first["gi_id"])
    ci = pynvml.nvmlGpuInstanceGetComputeInstanceById(gi, 0)
    with refused(pynvml.NVML_ERROR_IN_USE):
        pynvml.nvmlGpuInstanceDestroy(gi)  # it has a compute instance
    with sim.running(first["compute_instances"][0]["uuid"]), refused(pynvml.NVML_ERROR_IN_USE):
        pynvml.nvmlComputeInstanceDestroy(ci)
    pynvml.nvmlComputeInstanceDestroy(ci)
    pynvml.nvmlGpuInstanceDestroy(gi)


def test_the_first_instance_wants_the_gpu_for_itself(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=mig")
    holder = library.add_process(
        sim.dir, pid=1, kind=2, place=(0, library.NONE, library.NONE), steps=[]
    )
    assert holder == 0
    with refused(pynvml.NVML_ERROR_IN_USE):
        create(19)
    library.must("process_remove", sim.dir, 1)
    create(19)


def test_later_instances_are_made_beside_a_busy_one(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=3g.40gb@0")
    with sim.running():
        assert create(9).placement.start == 4


@pytest.mark.parametrize("gap", [False, True])
def test_mig_indices_with_and_without_a_gap(gap: bool, open_nvml: Open) -> None:
    open_nvml("h100-80gb=3x1g.10gb", gap=gap)
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    found = []
    for index in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(gpu)):
        try:
            mig = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, index)
        except pynvml.NVMLError_NotFound:
            continue
        assert pynvml.nvmlDeviceGetIndex(mig) == index
        found.append(index)
    assert found == ([0, 2, 3] if gap else [0, 1, 2])


def check_invariants(model: GpuModel, gpu: dict[str, Any]) -> None:
    units: set[int] = set()
    slices = 0
    for gi in gpu["gpu_instances"]:
        profile = model.profile(gi["profile"])
        place = gi["placement"]
        taken = set(range(place["start"], place["start"] + place["size"]))
        assert place["start"] in profile.starts and place["size"] == profile.size
        assert not taken & units
        units |= taken
        slices += profile.slices
        assert sum(ci["slices"] for ci in gi["compute_instances"]) <= profile.slices
    assert slices <= max(profile.slices for profile in model.profiles)
    indices = [ci["mig_index"] for gi in gpu["gpu_instances"] for ci in gi["compute_instances"]]
    assert sorted(indices) == list(range(len(indices)))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_sequence_of_changes_keeps_the_rules(data: st.DataObject, new_sim: Open) -> None:
    key = data.draw(st.sampled_from(mig_keys()))
    model, sim = load(key), new_sim(f"{key}=mig")
    for _ in range(data.draw(st.integers(1, 12))):
        profile = data.draw(st.sampled_from(model.profiles))
        start = data.draw(st.sampled_from([library.NONE, *profile.starts]))
        code, gi_id = library.create("create_gi", sim.dir, 0, profile.profile_id, start)
        for ci in data.draw(st.lists(st.sampled_from(profile.ci_profiles), max_size=4)):
            if code == 0:
                library.create("create_ci", sim.dir, 0, gi_id, ci.profile_id, library.NONE)
        check_invariants(model, sim.show()["gpus"][0])
