"""nvidia-ml-py judges the simulated library: what a GPU is, its profiles, and MIG mode."""

import re
from collections.abc import Callable

import pynvml
import pytest

from tests.sim.api import Sim
from tests.sim.models import GiProfile, GpuModel, keys, load, mig_keys
from tests.sim.nvml_calls import (
    first_gpu,
    gpu_instances,
    possible_ci_placements,
    possible_placements,
    refused,
)

Open = Callable[..., Sim]

GPU_UUID = re.compile(r"GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ON, OFF = pynvml.NVML_DEVICE_MIG_ENABLE, pynvml.NVML_DEVICE_MIG_DISABLE


def version(text: str) -> tuple[int, ...]:
    """A dotted version as numbers."""
    return tuple(int(part) for part in text.split("."))


def test_the_system_is_new_enough_for_every_client(open_nvml: Open) -> None:
    open_nvml("a100-40gb")
    assert version(pynvml.nvmlSystemGetDriverVersion()) >= (470, 42, 1)
    assert version(pynvml.nvmlSystemGetNVMLVersion())[0] >= 11
    assert pynvml.nvmlSystemGetCudaDriverVersion() >= 11000


@pytest.mark.parametrize("key", keys())
def test_a_gpu_is_what_its_model_says(key: str, open_nvml: Open) -> None:
    model = load(key)
    open_nvml(key)
    assert pynvml.nvmlDeviceGetCount() == 1
    gpu = first_gpu()
    assert pynvml.nvmlDeviceGetName(gpu) == model.name
    assert pynvml.nvmlDeviceGetMemoryInfo(gpu).total == model.memory_mib << 20
    assert pynvml.nvmlDeviceGetMemoryInfo(gpu, pynvml.nvmlMemory_v2).total == model.memory_mib << 20
    pci = pynvml.nvmlDeviceGetPciInfo(gpu)
    assert (pci.pciDeviceId, pci.pciSubSystemId) == (model.pci_device_id, model.pci_subsystem_id)
    assert not pynvml.nvmlDeviceIsMigDeviceHandle(gpu)
    supported = pynvml.nvmlGpmQueryDeviceSupport(gpu).isSupportedDevice
    assert bool(supported) == model.gpm


def test_a_gpu_is_found_by_all_its_names(open_nvml: Open) -> None:
    open_nvml("h100-80gb", "a100-40gb", "l40s")
    bus_ids, uuids = [], []
    for index in range(3):
        gpu = pynvml.nvmlDeviceGetHandleByIndex(index)
        uuid, bus_id = pynvml.nvmlDeviceGetUUID(gpu), pynvml.nvmlDeviceGetPciInfo(gpu).busId
        assert GPU_UUID.fullmatch(uuid)
        assert re.fullmatch(r"[0-9A-F]{8}:[0-9A-F]{2}:[0-9A-F]{2}\.0", bus_id)
        # NVML takes short domains and small letters too.
        for name in (bus_id, bus_id.lower(), bus_id[4:]):
            found = pynvml.nvmlDeviceGetHandleByPciBusId(name)
            assert pynvml.nvmlDeviceGetIndex(found) == index
        assert pynvml.nvmlDeviceGetIndex(pynvml.nvmlDeviceGetHandleByUUID(uuid)) == index
        bus_ids.append(bus_id)
        uuids.append(uuid)
    assert bus_ids == sorted(bus_ids)
    assert len(set(uuids)) == 3
    with refused(pynvml.NVML_ERROR_INVALID_ARGUMENT):
        pynvml.nvmlDeviceGetHandleByIndex(3)
    with refused(pynvml.NVML_ERROR_NOT_FOUND):
        pynvml.nvmlDeviceGetHandleByUUID("GPU-00000000-0000-0000-0000-000000000000")


def test_every_gpu_is_near_some_cpu(open_nvml: Open) -> None:
    open_nvml("a100-40gb")
    gpu = first_gpu()
    assert any(pynvml.nvmlDeviceGetCpuAffinity(gpu, 16))


def test_a_gpu_without_mig_says_so(open_nvml: Open) -> None:
    open_nvml("l40s")
    gpu = first_gpu()
    with refused(pynvml.NVML_ERROR_NOT_SUPPORTED):
        pynvml.nvmlDeviceGetMigMode(gpu)
    with refused(pynvml.NVML_ERROR_NOT_SUPPORTED):
        pynvml.nvmlDeviceSetMigMode(gpu, ON)


@pytest.mark.parametrize("key", mig_keys())
def test_mode_is_off_from_the_factory(key: str, open_nvml: Open) -> None:
    open_nvml(key)
    gpu = first_gpu()
    assert pynvml.nvmlDeviceGetMigMode(gpu) == [OFF, OFF]


@pytest.mark.parametrize("key", mig_keys())
def test_mode_changes_at_once_or_after_a_reset(key: str, open_nvml: Open) -> None:
    sim = open_nvml(key)
    gpu = first_gpu()
    status = pynvml.nvmlDeviceSetMigMode(gpu, ON)
    if load(key).reset_for_mode:
        assert status == pynvml.NVML_ERROR_RESET_REQUIRED
        assert pynvml.nvmlDeviceGetMigMode(gpu) == [OFF, ON]
        sim.reset(0)
        gpu = first_gpu()
    else:
        assert status == pynvml.NVML_SUCCESS
    assert pynvml.nvmlDeviceGetMigMode(gpu) == [ON, ON]


@pytest.mark.parametrize("key", mig_keys())
def test_a_reboot_keeps_the_mode_or_not_but_never_the_instances(key: str, open_nvml: Open) -> None:
    smallest = load(key).profiles[0].name
    sim = open_nvml(f"{key}={smallest}")
    sim.reboot()
    pynvml.nvmlShutdown()
    pynvml.nvmlInit()
    gpu = first_gpu()
    kept = ON if load(key).mode_survives_reboot else OFF
    assert pynvml.nvmlDeviceGetMigMode(gpu)[0] == kept
    with pytest.raises(pynvml.NVMLError):
        pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, 0)


@pytest.mark.parametrize("key", mig_keys())
def test_profiles_are_the_models(key: str, open_nvml: Open) -> None:
    model = load(key)
    open_nvml(f"{key}=mig")
    gpu = first_gpu()
    by_enum = {profile.enum: profile for profile in model.profiles}
    for enum in range(pynvml.NVML_GPU_INSTANCE_PROFILE_COUNT):
        if enum in by_enum:
            assert_profile(gpu, by_enum[enum])
            continue
        with refused(pynvml.NVML_ERROR_NOT_SUPPORTED):
            pynvml.nvmlDeviceGetGpuInstanceProfileInfo(gpu, enum)
    with refused(pynvml.NVML_ERROR_INVALID_ARGUMENT):
        pynvml.nvmlDeviceGetGpuInstanceProfileInfo(gpu, 1000)


def assert_profile(gpu: object, profile: GiProfile) -> None:
    """NVML says of this profile what the model says."""
    info = pynvml.nvmlDeviceGetGpuInstanceProfileInfo(gpu, profile.enum)
    old = pynvml.nvmlDeviceGetGpuInstanceProfileInfo(gpu, profile.enum, version=1)
    by_id = pynvml.nvmlDeviceGetGpuInstanceProfileInfoById(gpu, profile.profile_id)
    assert info.name == f"MIG {profile.name}"
    for told in (info, old, by_id):
        assert told.id == profile.profile_id
        assert told.sliceCount == profile.slices
        assert told.instanceCount == profile.max_count
        assert told.multiprocessorCount == profile.sm_count
        assert told.memorySizeMB == profile.memory_mib
        assert told.copyEngineCount == profile.copy_engines
    places = [(start, profile.size) for start in profile.starts]
    assert possible_placements(gpu, profile.profile_id) == places
    remaining = pynvml.nvmlDeviceGetGpuInstanceRemainingCapacity(gpu, profile.profile_id)
    assert remaining == profile.max_count


def profiles_to_try() -> list[object]:
    """Every profile of every model."""
    models = [load(key) for key in mig_keys()]
    return [
        pytest.param(model, profile, id=f"{model.key}-{profile.name}")
        for model in models
        for profile in model.profiles
    ]


@pytest.mark.parametrize(("model", "profile"), profiles_to_try())
def test_every_compute_instance_profile_makes_its_mig_device(
    model: GpuModel, profile: GiProfile, open_nvml: Open
) -> None:
    open_nvml(f"{model.key}={profile.name}:none")
    gpu = first_gpu()
    (gi,) = gpu_instances(gpu, profile.profile_id)
    for ci in profile.ci_profiles:
        info = pynvml.nvmlGpuInstanceGetComputeInstanceProfileInfo(gi, ci.enum, 0)
        assert (info.id, info.sliceCount) == (ci.profile_id, ci.slices)
        assert (info.instanceCount, info.multiprocessorCount) == (ci.max_count, ci.sm_count)
        places = [(start, ci.size) for start in ci.starts]
        assert possible_ci_placements(gi, ci.profile_id) == places
        made = pynvml.nvmlGpuInstanceCreateComputeInstance(gi, ci.profile_id)
        mig = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, 0)
        assert pynvml.nvmlDeviceGetName(mig) == f"{model.name} MIG {ci.name}"
        size = pynvml.nvmlDeviceGetAttributes(mig)
        assert (size.gpuInstanceSliceCount, size.computeInstanceSliceCount) == (
            profile.slices,
            ci.slices,
        )
        assert (size.multiprocessorCount, size.memorySizeMB) == (ci.sm_count, profile.memory_mib)
        assert pynvml.nvmlDeviceGetMemoryInfo(mig).total == profile.memory_mib << 20
        pynvml.nvmlComputeInstanceDestroy(made)
    with refused(pynvml.NVML_ERROR_NOT_FOUND):
        pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, 0)
