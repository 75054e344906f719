"""What every backend of the NVML port promises: held against the fake and the real adapter."""

import re
from collections import Counter

import pytest

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.nvml.codes import GPU_IS_LOST, INVALID_ARGUMENT
from slurm_mig.gpu.profile import gi_profile
from slurm_mig.model import GpuIndex, MigMode, Placement
from tests.contract.conftest import MakeMachine
from tests.sim.layout import plan
from tests.sim.models import keys, load, mig_keys

MIG_KEYS = mig_keys()
ON, OFF = MigMode(current=True, pending=True), MigMode(current=False, pending=False)
GPU_0, GPU_1 = GpuIndex(0), GpuIndex(1)
SHARED = "h100-80gb=3g.40gb:1c:2c/2g.20gb/1g.10gb:none"


def every_profile(key: str) -> list[str]:
    """One layout for each profile of a model, with one instance."""
    return [f"{key}={profile.name}" for profile in load(key).profiles]


ALL_PROFILES = [layout for key in MIG_KEYS for layout in every_profile(key)]


def test_the_driver_has_a_version(make: MakeMachine) -> None:
    with make("h100-80gb").open() as nvml:
        assert re.fullmatch(r"\d+(\.\d+)+", nvml.driver_version())


@pytest.mark.parametrize("key", keys())
def test_a_gpu_is_what_its_model_says(make: MakeMachine, key: str) -> None:
    model = load(key)
    with make(key).open() as nvml:
        (gpu,) = nvml.gpus()
    assert (gpu.gpu_index, gpu.gpu_minor) == (0, 0)
    assert (gpu.name, gpu.memory_mib) == (model.name, model.memory_mib)
    assert gpu.mig_mode == (OFF if model.mig else None)
    assert re.fullmatch(r"GPU(-[0-9a-f]+){5}", gpu.uuid)
    assert re.fullmatch(r"[0-9A-F]{8}:[0-9A-F]{2}:[0-9A-F]{2}\.0", gpu.pci_bus_id)


def test_gpus_are_counted_along_the_bus(make: MakeMachine) -> None:
    with make("h100-80gb", "l40s", "a100-40gb=mig", "h100-80gb").open() as nvml:
        gpus = nvml.gpus()
    assert [gpu.gpu_index for gpu in gpus] == [0, 1, 2, 3]
    assert [gpu.pci_bus_id for gpu in gpus] == sorted({gpu.pci_bus_id for gpu in gpus})
    assert [gpu.mig_mode for gpu in gpus] == [OFF, None, ON, OFF]
    assert len({gpu.uuid for gpu in gpus}) == 4


@pytest.mark.parametrize("gpu", ["h100-80gb", "h100-80gb=mig", "l40s"])
def test_without_instances_there_are_none(make: MakeMachine, gpu: str) -> None:
    with make(gpu).open() as nvml:
        assert nvml.mig_devices(GPU_0) == ()
        assert nvml.gpu_instances(GPU_0) == ()


@pytest.mark.parametrize(
    "layout", [*ALL_PROFILES, *(f"{key}=balanced" for key in MIG_KEYS), SHARED]
)
def test_mig_devices_are_the_compute_instances(make: MakeMachine, layout: str) -> None:
    key, _, text = layout.partition("=")
    wanted = [(gi.profile, ci.profile) for gi in plan(load(key), text) for ci in gi.cis]
    with make(layout).open() as nvml:
        found = nvml.mig_devices(GPU_0)
    assert [device.mig_index for device in found] == list(range(len(wanted)))
    assert Counter((d.profile, d.memory_mib, d.sm_count) for d in found) == Counter(
        (ci.name, gi.memory_mib, ci.sm_count) for gi, ci in wanted
    )
    assert Counter((d.gi_slices, d.ci_slices) for d in found) == Counter(
        (gi.slices, ci.slices) for gi, ci in wanted
    )
    assert len({device.uuid for device in found}) == len(found)
    assert all(re.fullmatch(r"MIG(-[0-9a-f]+){5}", device.uuid) for device in found)
    assert len({(device.gi_id, device.ci_id) for device in found}) == len(found)


@pytest.mark.parametrize(
    "layout", [*ALL_PROFILES, *(f"{key}=balanced" for key in MIG_KEYS), SHARED]
)
def test_gpu_instances_are_all_of_them_with_their_place(make: MakeMachine, layout: str) -> None:
    key, _, text = layout.partition("=")
    with make(layout).open() as nvml:
        found, devices = nvml.gpu_instances(GPU_0), nvml.mig_devices(GPU_0)
    assert found is not None
    assert Counter((gi.profile, gi.profile_id, gi.placement) for gi in found) == Counter(
        (gi.profile.name, gi.profile.profile_id, Placement(gi.start, gi.profile.size))
        for gi in plan(load(key), text)
    )
    assert [gi.gi_id for gi in found] == sorted({gi.gi_id for gi in found})
    profiles = {gi.gi_id: gi.profile for gi in found}
    assert all(gi_profile(device.profile) == profiles[device.gi_id] for device in devices)


def test_a_gpu_instance_without_compute_instances_is_no_mig_device(make: MakeMachine) -> None:
    with make("h100-80gb=3g.40gb:none/3g.40gb:none").open() as nvml:
        assert nvml.mig_devices(GPU_0) == ()
        assert len(nvml.gpu_instances(GPU_0) or ()) == 2


def test_devices_behind_a_gap_are_found(make: MakeMachine) -> None:
    with make("a100-40gb=2x2g.10gb/3g.20gb", gap=True).open() as nvml:
        indices = [device.mig_index for device in nvml.mig_devices(GPU_0)]
    assert indices == [0, 2, 3]


def test_each_gpu_has_its_own(make: MakeMachine) -> None:
    with make("h100-80gb=7g.80gb", "h100-80gb=2x3g.40gb").open() as nvml:
        first, second = nvml.mig_devices(GPU_0), nvml.mig_devices(GPU_1)
    assert [len(first), len(second)] == [1, 2]
    assert len({device.uuid for device in (*first, *second)}) == 3


def test_what_only_root_may_see_is_none_to_others(make: MakeMachine) -> None:
    machine = make("h100-80gb=balanced")
    machine.deny()
    with machine.open() as nvml:
        assert nvml.gpu_instances(GPU_0) is None
        assert len(nvml.mig_devices(GPU_0)) == 4


def test_a_session_sees_what_others_change(make: MakeMachine) -> None:
    machine = make("h100-80gb=balanced")
    with machine.open() as nvml:
        assert len(nvml.mig_devices(GPU_0)) == 4
        machine.clear(0)
        assert nvml.mig_devices(GPU_0) == ()
        assert nvml.gpu_instances(GPU_0) == ()


@pytest.mark.parametrize("method", ["mig_devices", "gpu_instances", "near_cpus"])
def test_a_gpu_that_is_not_there(make: MakeMachine, method: str) -> None:
    with make("h100-80gb").open() as nvml, pytest.raises(NvmlError, match=r"^GPU 7: ") as error:
        getattr(nvml, method)(GpuIndex(7))
    assert error.value.code == INVALID_ARGUMENT


def test_a_lost_gpu_is_named_with_what_to_do(make: MakeMachine) -> None:
    machine = make("h100-80gb", "h100-80gb")
    machine.lose(1)
    with machine.open() as nvml, pytest.raises(NvmlError, match=r"^GPU 1: .*drain") as error:
        nvml.gpus()
    assert error.value.code == GPU_IS_LOST


def test_the_cpus_near_a_gpu_are_numbers(make: MakeMachine) -> None:
    with make("h100-80gb").open() as nvml:
        near = nvml.near_cpus(GPU_0)
    assert near
    assert all(0 <= cpu < 8192 for cpu in near)
