"""nvidia-ml-py judges the simulated library: which instances can be made, what they are called."""

import random
import re
from collections import Counter
from collections.abc import Callable

import pynvml
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.layouts import PlacedGi, compatible, layouts, maximal_layouts
from tests.sim.api import Sim
from tests.sim.models import GpuModel, load, mig_keys
from tests.sim.nvml_calls import (
    Handle,
    compute_instances,
    create_at,
    create_ci_at,
    first_gpu,
    gpu_instances,
    mig_handles,
    refused,
)

Open = Callable[..., Sim]

MIG_UUID = re.compile(r"MIG-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# The other models have the tables of one of these, other names and numbers apart.
EACH_KIND = ["a100-40gb", "h100-80gb", "a30-24gb", "rtx-pro-6000-96gb"]


def make(gpu: Handle, placed: PlacedGi) -> Handle:
    """That GPU instance, there."""
    return create_at(gpu, placed.profile.profile_id, placed.start, placed.profile.size)


@pytest.mark.parametrize("key", EACH_KIND)
def test_every_full_layout_can_be_made_in_any_order(key: str, open_nvml: Open) -> None:
    open_nvml(f"{key}=mig")
    gpu, shuffle = first_gpu(), random.Random(key).shuffle
    for layout in maximal_layouts(load(key)):
        order = list(layout)
        shuffle(order)
        made = [make(gpu, placed) for placed in order]
        infos = [pynvml.nvmlGpuInstanceGetInfo(gi) for gi in made]
        places = [(info.placement.start, info.placement.size) for info in infos]
        assert places == [(placed.start, placed.profile.size) for placed in order]
        assert [info.profileId for info in infos] == [gi.profile.profile_id for gi in order]
        assert len({info.id for info in infos}) == len(infos)
        for gi in made:
            pynvml.nvmlGpuInstanceDestroy(gi)


@pytest.mark.parametrize("key", EACH_KIND)
def test_nothing_else_can_be_made(key: str, open_nvml: Open) -> None:
    """Beside every full layout of a sample, and beside each of its halves."""
    model = load(key)
    open_nvml(f"{key}=mig")
    gpu, chance = first_gpu(), random.Random(key)
    for layout in chance.sample(list(maximal_layouts(model)), 12):
        placed = sorted(chance.sample(layout, (len(layout) + 1) // 2), key=lambda gi: gi.start)
        made = [make(gpu, gi) for gi in placed]
        for more in everywhere(model):
            if compatible(sorted((*placed, more), key=lambda gi: gi.start)):
                pynvml.nvmlGpuInstanceDestroy(make(gpu, more))
                continue
            with refused(pynvml.NVML_ERROR_INSUFFICIENT_RESOURCES):
                make(gpu, more)
        for gi in made:
            pynvml.nvmlGpuInstanceDestroy(gi)


def everywhere(model: GpuModel) -> list[PlacedGi]:
    """Every placement of every profile."""
    return [PlacedGi(profile, start) for profile in model.profiles for start in profile.starts]


@pytest.mark.parametrize("key", EACH_KIND)
def test_the_driver_finds_places_for_as_many_as_a_profile_allows(key: str, open_nvml: Open) -> None:
    open_nvml(f"{key}=mig")
    gpu = first_gpu()
    for profile in load(key).profiles:
        for left in range(profile.max_count, 0, -1):
            remaining = pynvml.nvmlDeviceGetGpuInstanceRemainingCapacity(gpu, profile.profile_id)
            assert remaining == left
            pynvml.nvmlDeviceCreateGpuInstance(gpu, profile.profile_id)
        with refused(pynvml.NVML_ERROR_INSUFFICIENT_RESOURCES):
            pynvml.nvmlDeviceCreateGpuInstance(gpu, profile.profile_id)
        made = gpu_instances(gpu, profile.profile_id)
        assert len(made) == profile.max_count
        for gi in made:
            pynvml.nvmlGpuInstanceDestroy(gi)


@pytest.mark.parametrize("key", EACH_KIND)
@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_random_layout_is_what_was_asked_for(
    key: str, new_sim: Open, data: st.DataObject
) -> None:
    layout = data.draw(layouts(load(key), without_ci=True))
    (gpu,) = new_sim(f"{key}={layout}").show()["gpus"]
    made = Counter(
        (gi["profile"], tuple(sorted(ci["slices"] for ci in gi["compute_instances"])))
        for gi in gpu["gpu_instances"]
    )
    assert made == asked_for(load(key), layout)
    if "@" in layout:
        places = [f"{gi['profile']}@{gi['placement']['start']}" for gi in gpu["gpu_instances"]]
        assert sorted(places) == sorted(part.partition(":")[0] for part in layout.split("/"))


def asked_for(model: GpuModel, layout: str) -> Counter[tuple[str, tuple[int, ...]]]:
    """How many GPU instances of each profile and division a LAYOUT string means."""
    wanted: Counter[tuple[str, tuple[int, ...]]] = Counter()
    for part in layout.split("/"):
        name, *cis = part.split(":")
        number, times, rest = name.partition("@")[0].partition("x")
        alike = bool(times) and number.isdigit()
        profile = model.profile(rest if alike else name.partition("@")[0])
        in_slices = [int(ci[:-1]) if ci.endswith("c") else profile.slices for ci in cis]
        division = () if cis == ["none"] else tuple(sorted(in_slices)) or (profile.slices,)
        wanted[profile.name, division] += int(number) if alike else 1
    return wanted


def test_a_start_that_the_profile_does_not_have(open_nvml: Open) -> None:
    open_nvml("a100-40gb=mig")
    profile = load("a100-40gb").profile("3g.20gb")
    for start in (1, 2, 3, 5, 8):
        with pytest.raises(pynvml.NVMLError):
            create_at(first_gpu(), profile.profile_id, start, profile.size)


@pytest.mark.parametrize("key", mig_keys())
def test_a_mig_device_is_found_by_all_its_names(key: str, open_nvml: Open) -> None:
    smallest = load(key).profiles[0]
    open_nvml(f"{key}={smallest.max_count}x{smallest.name}")
    gpu = first_gpu()
    uuids = []
    for handle in mig_handles(gpu):
        uuid = pynvml.nvmlDeviceGetUUID(handle)
        assert MIG_UUID.fullmatch(uuid)
        gi_id = pynvml.nvmlDeviceGetGpuInstanceId(handle)
        ci_id = pynvml.nvmlDeviceGetComputeInstanceId(handle)
        old_name = f"MIG-{pynvml.nvmlDeviceGetUUID(gpu)}/{gi_id}/{ci_id}"
        for name in (uuid, old_name):
            found = pynvml.nvmlDeviceGetHandleByUUID(name)
            assert pynvml.nvmlDeviceGetUUID(found) == uuid
        assert pynvml.nvmlDeviceIsMigDeviceHandle(handle)
        parent = pynvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle)
        assert pynvml.nvmlDeviceGetUUID(parent) == pynvml.nvmlDeviceGetUUID(gpu)
        uuids.append(uuid)
    assert len(set(uuids)) == smallest.max_count


def test_compute_instances_share_their_gpu_instance(open_nvml: Open) -> None:
    open_nvml("h100-80gb=3g.40gb@4:none")
    gpu, profile = first_gpu(), load("h100-80gb").profile("3g.40gb")
    one, two, _ = profile.ci_profiles
    (gi,) = gpu_instances(gpu, profile.profile_id)
    create_ci_at(gi, two.profile_id, 0, two.size)
    with refused(pynvml.NVML_ERROR_INSUFFICIENT_RESOURCES):
        create_ci_at(gi, one.profile_id, 1, one.size)
    last = create_ci_at(gi, one.profile_id, 2, one.size)
    info = pynvml.nvmlComputeInstanceGetInfo(last)
    assert (info.placement.start, info.placement.size) == (2, 1)
    names = [pynvml.nvmlDeviceGetName(handle) for handle in mig_handles(gpu)]
    assert names == [f"NVIDIA H100 80GB HBM3 MIG {n}" for n in ("2c.3g.40gb", "1c.3g.40gb")]
    ids = {pynvml.nvmlDeviceGetGpuInstanceId(handle) for handle in mig_handles(gpu)}
    assert ids == {pynvml.nvmlGpuInstanceGetInfo(gi).id}
    with refused(pynvml.NVML_ERROR_IN_USE):
        pynvml.nvmlGpuInstanceDestroy(gi)


def test_the_layout_takes_the_compute_instance_with_all_multiprocessors(open_nvml: Open) -> None:
    """As `nvidia-smi mig -C` does; mig-parted takes the first profile, with 16 of the 26."""
    open_nvml("h100-80gb=1g.20gb")
    (mig,) = mig_handles(first_gpu())
    assert pynvml.nvmlDeviceGetAttributes(mig).multiprocessorCount == 26


def test_a_uuid_comes_back_for_another_shape(open_nvml: Open) -> None:
    """It is a function of GPU, GPU instance id and engine, not of the profile."""
    open_nvml("a100-40gb=3g.20gb@4")
    gpu, profile = first_gpu(), load("a100-40gb").profile("3g.20gb")
    (before,) = mig_handles(gpu)
    uuid, name = pynvml.nvmlDeviceGetUUID(before), pynvml.nvmlDeviceGetName(before)
    (gi,) = gpu_instances(gpu, profile.profile_id)
    (ci,) = compute_instances(gi, profile.ci_profiles[-1].profile_id)
    pynvml.nvmlComputeInstanceDestroy(ci)
    create_ci_at(gi, profile.ci_profiles[0].profile_id, 0, 1)
    (after,) = mig_handles(gpu)
    assert pynvml.nvmlDeviceGetUUID(after) == uuid
    assert name.endswith("MIG 3g.20gb")
    assert pynvml.nvmlDeviceGetName(after).endswith("MIG 1c.3g.20gb")


def test_handles_of_what_is_gone_are_refused(open_nvml: Open) -> None:
    open_nvml("a100-40gb=3g.20gb@4")
    gpu, profile = first_gpu(), load("a100-40gb").profile("3g.20gb")
    (mig,) = mig_handles(gpu)
    (gi,) = gpu_instances(gpu, profile.profile_id)
    (ci,) = compute_instances(gi, profile.ci_profiles[-1].profile_id)
    pynvml.nvmlComputeInstanceDestroy(ci)
    pynvml.nvmlGpuInstanceDestroy(gi)
    for call, handle in (
        (pynvml.nvmlDeviceGetUUID, mig),
        (pynvml.nvmlComputeInstanceGetInfo, ci),
        (pynvml.nvmlGpuInstanceGetInfo, gi),
        (pynvml.nvmlGpuInstanceDestroy, gi),
    ):
        with pytest.raises(pynvml.NVMLError):
            call(handle)
