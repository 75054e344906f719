"""What every backend of the partitioning half of the NVML port promises."""

from collections.abc import Callable

import pytest

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.nvml.codes import (
    GPU_IS_LOST,
    IN_USE,
    INSUFFICIENT_RESOURCES,
    INVALID_ARGUMENT,
    NO_PERMISSION,
    NOT_FOUND,
    NOT_SUPPORTED,
)
from slurm_mig.gpu.nvml.partition_port import PartitionNvml, PciIds
from slurm_mig.gpu.partitioning import CiSpec, Layout, LiveGi
from slurm_mig.gpu.present.survey import survey, survey_each
from slurm_mig.model import CiId, GiId, GpuIndex, MigMode, Placement, ProfileId
from tests.contract.conftest import MakeMachine, offers
from tests.sim.layout import plan
from tests.sim.models import keys, load, mig_keys

MIG_KEYS = mig_keys()
GPU_0, GPU_1, GPU_7 = GpuIndex(0), GpuIndex(1), GpuIndex(7)
ON, OFF = MigMode(current=True, pending=True), MigMode(current=False, pending=False)
TO_ON = MigMode(current=False, pending=True)
ONE_G, TWO_G, THREE_G = ProfileId(19), ProfileId(14), ProfileId(9)
SHARED = "h100-80gb=3g.40gb:1c:2c/2g.20gb/1g.10gb:none"

CHANGES: dict[str, Callable[[PartitionNvml], object]] = {
    "set_mig_mode": lambda nvml: nvml.set_mig_mode(GPU_7, True),
    "create_gi": lambda nvml: nvml.create_gi(GPU_7, ONE_G, Placement(0, 1)),
    "create_ci": lambda nvml: nvml.create_ci(GPU_7, GiId(1), CiSpec("1g.10gb")),
    "destroy_ci": lambda nvml: nvml.destroy_ci(GPU_7, GiId(1), CiId(0)),
    "destroy_gi": lambda nvml: nvml.destroy_gi(GPU_7, GiId(1)),
}


def only(nvml: PartitionNvml) -> LiveGi:
    """The one GPU instance of GPU 0."""
    (gi,) = nvml.live_instances(GPU_0)
    return gi


@pytest.mark.parametrize("key", MIG_KEYS)
def test_profiles_are_what_the_model_offers(make: MakeMachine, key: str) -> None:
    with make(f"{key}=mig").open() as nvml:
        assert nvml.profiles(GPU_0) == tuple(offers(load(key)))


@pytest.mark.parametrize("key", MIG_KEYS)
def test_without_mig_nobody_knows_the_places(make: MakeMachine, key: str) -> None:
    with make(key).open() as nvml:
        found = nvml.profiles(GPU_0)
    assert found == tuple(one._replace(placements=()) for one in offers(load(key)))


@pytest.mark.parametrize("key", keys())
def test_what_board_it_is(make: MakeMachine, key: str) -> None:
    model = load(key)
    with make(key).open() as nvml:
        assert nvml.pci_ids(GPU_0) == PciIds(model.pci_device_id, model.pci_subsystem_id)


def test_each_gpu_has_its_own_family(make: MakeMachine) -> None:
    with make("h100-80gb", "a100-40gb", "a30-24gb", "rtx-pro-6000-96gb").open() as nvml:
        found = [nvml.mode_needs_reset(GpuIndex(number)) for number in range(4)]
    assert found == [False, True, True, False]


@pytest.mark.parametrize("layout", [SHARED, *(f"{key}=balanced" for key in MIG_KEYS)])
def test_instances_with_what_is_in_them(make: MakeMachine, layout: str) -> None:
    key, _, text = layout.partition("=")
    with make(layout).open() as nvml:
        found = nvml.live_instances(GPU_0)
        devices = nvml.mig_devices(GPU_0)
    wanted = sorted(plan(load(key), text), key=lambda gi: gi.start)
    assert [(gi.profile, gi.placement) for gi in found] == [
        (gi.profile.name, Placement(gi.start, gi.profile.size)) for gi in wanted
    ]
    for live, gi in zip(found, wanted, strict=True):
        by_start = sorted(gi.cis, key=lambda ci: ci.start)
        assert [(ci.spec, ci.sm_count) for ci in live.cis] == [
            (CiSpec(ci.profile.name, ci.profile.profile_id, ci.start), ci.profile.sm_count)
            for ci in by_start
        ]
    ids = {(gi.gi_id, ci.ci_id) for gi in found for ci in gi.cis}
    assert ids == {(device.gi_id, device.ci_id) for device in devices}


@pytest.mark.parametrize("gpu", ["h100-80gb", "h100-80gb=mig"])
def test_without_instances_there_are_none(make: MakeMachine, gpu: str) -> None:
    with make(gpu).open() as nvml:
        assert nvml.live_instances(GPU_0) == ()


def test_an_instance_is_made_where_it_was_asked_for(make: MakeMachine) -> None:
    with make("h100-80gb=mig").open() as nvml:
        gi_id = nvml.create_gi(GPU_0, TWO_G, Placement(2, 2))
        ci_id = nvml.create_ci(GPU_0, gi_id, CiSpec("2g.20gb", start=0))
        live = only(nvml)
        (device,) = nvml.mig_devices(GPU_0)
    assert (live.gi_id, live.profile, live.placement) == (gi_id, "2g.20gb", Placement(2, 2))
    assert [ci.ci_id for ci in live.cis] == [ci_id]
    assert (device.gi_id, device.ci_id, device.profile) == (gi_id, ci_id, "2g.20gb")


def test_of_equal_names_the_one_with_most_multiprocessors(make: MakeMachine) -> None:
    """An H100's 1g.20gb has 26: NVML lists the one with 16 first."""
    with make("h100-80gb=1g.20gb:none").open() as nvml:
        nvml.create_ci(GPU_0, only(nvml).gi_id, CiSpec("1g.20gb"))
        assert [ci.sm_count for ci in only(nvml).cis] == [26]


def test_or_the_one_of_that_number(make: MakeMachine) -> None:
    with make("h100-80gb=1g.20gb:none").open() as nvml:
        nvml.create_ci(GPU_0, only(nvml).gi_id, CiSpec("1g.20gb", 0))
        assert [ci.sm_count for ci in only(nvml).cis] == [16]


def test_a_name_of_another_driver_is_found_by_its_slices(make: MakeMachine) -> None:
    with make("h100-80gb=3g.40gb:none").open() as nvml:
        nvml.create_ci(GPU_0, only(nvml).gi_id, CiSpec("1c.3g.39gb", start=1))
        assert [ci.spec for ci in only(nvml).cis] == [CiSpec("1c.3g.40gb", 0, 1)]


def test_compute_instances_have_their_places(make: MakeMachine) -> None:
    with make("h100-80gb=3g.40gb:none").open() as nvml:
        gi_id = only(nvml).gi_id
        late = nvml.create_ci(GPU_0, gi_id, CiSpec("1c.3g.40gb", start=2))
        anywhere = nvml.create_ci(GPU_0, gi_id, CiSpec("1c.3g.40gb"))
        found = [(ci.ci_id, ci.spec.start) for ci in only(nvml).cis]
    assert found == [(anywhere, 0), (late, 2)]


def test_what_a_gpu_instance_does_not_offer(make: MakeMachine) -> None:
    with (
        make("h100-80gb=1g.10gb:none").open() as nvml,
        pytest.raises(NvmlError, match=r"^GPU 0") as error,
    ):
        nvml.create_ci(GPU_0, only(nvml).gi_id, CiSpec("2c.3g.40gb"))
    assert error.value.code == NOT_SUPPORTED


def test_a_place_that_is_taken(make: MakeMachine) -> None:
    with make("h100-80gb=3g.40gb@0").open() as nvml:
        with pytest.raises(NvmlError) as error:
            nvml.create_gi(GPU_0, ONE_G, Placement(3, 1))
        assert error.value.code == INSUFFICIENT_RESOURCES
        with pytest.raises(NvmlError) as error:
            nvml.create_ci(GPU_0, only(nvml).gi_id, CiSpec("1c.3g.40gb"))
        assert error.value.code == INSUFFICIENT_RESOURCES


def test_a_place_that_there_is_not(make: MakeMachine) -> None:
    with make("h100-80gb=mig").open() as nvml, pytest.raises(NvmlError) as error:
        nvml.create_gi(GPU_0, THREE_G, Placement(1, 4))
    assert error.value.code == INVALID_ARGUMENT


def test_an_instance_is_destroyed_from_the_inside_out(make: MakeMachine) -> None:
    with make("h100-80gb=2x3g.40gb").open() as nvml:
        first, second = nvml.live_instances(GPU_0)
        with pytest.raises(NvmlError) as error:
            nvml.destroy_gi(GPU_0, first.gi_id)
        assert error.value.code == IN_USE
        nvml.destroy_ci(GPU_0, first.gi_id, first.cis[0].ci_id)
        nvml.destroy_gi(GPU_0, first.gi_id)
        assert nvml.live_instances(GPU_0) == (second,)


def test_what_is_not_there_cannot_be_destroyed(make: MakeMachine) -> None:
    with make("h100-80gb=3g.40gb:none").open() as nvml:
        gi_id = only(nvml).gi_id
        with pytest.raises(NvmlError) as error:
            nvml.destroy_ci(GPU_0, gi_id, CiId(0))
        assert error.value.code == NOT_FOUND
        nvml.destroy_gi(GPU_0, gi_id)
        with pytest.raises(NvmlError) as error:
            nvml.destroy_gi(GPU_0, gi_id)
        assert error.value.code == NOT_FOUND


def test_a_busy_instance_stays_and_its_neighbours_go(make: MakeMachine) -> None:
    machine = make("h100-80gb=2x3g.40gb")
    with machine.open() as nvml:
        busy, idle = nvml.live_instances(GPU_0)
        machine.hold(0, busy.gi_id)
        with pytest.raises(NvmlError, match="holds it") as error:
            nvml.destroy_ci(GPU_0, busy.gi_id, busy.cis[0].ci_id)
        assert error.value.code == IN_USE
        nvml.destroy_ci(GPU_0, idle.gi_id, idle.cis[0].ci_id)
        nvml.destroy_gi(GPU_0, idle.gi_id)
        nvml.create_gi(GPU_0, TWO_G, Placement(4, 2))
        assert nvml.live_instances(GPU_0)[0] == busy


def test_the_first_instance_needs_every_client_gone(make: MakeMachine) -> None:
    machine = make("h100-80gb=mig")
    machine.hold(0)
    with machine.open() as nvml, pytest.raises(NvmlError) as error:
        nvml.create_gi(GPU_0, ONE_G, Placement(0, 1))
    assert error.value.code == IN_USE


def test_hopper_changes_its_mode_at_once(make: MakeMachine) -> None:
    with make("h100-80gb").open() as nvml:
        assert nvml.set_mig_mode(GPU_0, True) == ON
        assert nvml.profiles(GPU_0)[0].placements
        assert nvml.set_mig_mode(GPU_0, False) == OFF


def test_ampere_waits_for_a_reset(make: MakeMachine) -> None:
    machine = make("a100-40gb", "a100-40gb")
    with machine.open() as nvml:
        assert nvml.set_mig_mode(GPU_0, True) == TO_ON
        assert [gpu.mig_mode for gpu in nvml.gpus()] == [TO_ON, OFF]
        machine.reset(0)
        assert [gpu.mig_mode for gpu in nvml.gpus()] == [ON, OFF]


def test_what_is_pending_can_be_taken_back(make: MakeMachine) -> None:
    with make("a100-40gb").open() as nvml:
        nvml.set_mig_mode(GPU_0, True)
        assert nvml.set_mig_mode(GPU_0, False) == OFF


@pytest.mark.parametrize("gpu", ["h100-80gb", "a100-40gb"])
def test_a_client_stands_in_the_way_of_a_mode(make: MakeMachine, gpu: str) -> None:
    """NVML takes the request and says SUCCESS: IN_USE is its second answer."""
    machine = make(gpu)
    machine.hold(0)
    with machine.open() as nvml:
        with pytest.raises(NvmlError) as error:
            nvml.set_mig_mode(GPU_0, True)
        assert error.value.code == IN_USE
        assert nvml.gpus()[0].mig_mode == TO_ON
        assert nvml.set_mig_mode(GPU_0, False) == OFF


def test_no_mode_where_there_is_no_mig(make: MakeMachine) -> None:
    with make("l40s").open() as nvml, pytest.raises(NvmlError) as error:
        nvml.set_mig_mode(GPU_0, True)
    assert error.value.code == NOT_SUPPORTED


@pytest.mark.parametrize("gpu", ["h100-80gb"])
def test_no_instance_while_mig_is_off(make: MakeMachine, gpu: str) -> None:
    with make(gpu).open() as nvml, pytest.raises(NvmlError) as error:
        nvml.create_gi(GPU_0, ONE_G, Placement(0, 1))
    assert error.value.code == NOT_SUPPORTED


def test_to_others_than_root_it_is_refused(make: MakeMachine) -> None:
    machine = make("h100-80gb=3g.40gb")
    machine.deny()
    calls: list[Callable[[PartitionNvml], object]] = [
        lambda nvml: nvml.live_instances(GPU_0),
        lambda nvml: nvml.profiles(GPU_0),
        lambda nvml: nvml.set_mig_mode(GPU_0, False),
        lambda nvml: nvml.create_gi(GPU_0, ONE_G, Placement(4, 1)),
        lambda nvml: nvml.create_ci(GPU_0, GiId(1), CiSpec("1g.10gb")),
        lambda nvml: nvml.destroy_ci(GPU_0, GiId(1), CiId(0)),
        lambda nvml: nvml.destroy_gi(GPU_0, GiId(1)),
    ]
    with machine.open() as nvml:
        for call in calls:
            with pytest.raises(NvmlError, match="run as root") as error:
                call(nvml)
            assert error.value.code == NO_PERMISSION


@pytest.mark.parametrize("change", CHANGES)
def test_a_gpu_that_is_not_there(make: MakeMachine, change: str) -> None:
    with make("h100-80gb").open() as nvml, pytest.raises(NvmlError, match=r"^GPU 7: ") as error:
        CHANGES[change](nvml)
    assert error.value.code == INVALID_ARGUMENT


@pytest.mark.parametrize("method", ["profiles", "live_instances", "pci_ids", "mode_needs_reset"])
def test_nor_can_it_be_asked(make: MakeMachine, method: str) -> None:
    with make("h100-80gb").open() as nvml, pytest.raises(NvmlError, match=r"^GPU 7: ") as error:
        getattr(nvml, method)(GPU_7)
    assert error.value.code == INVALID_ARGUMENT


def test_a_gpu_that_falls_off_the_bus(make: MakeMachine) -> None:
    machine = make("h100-80gb", "h100-80gb=3g.40gb")
    with machine.open() as nvml:
        gi_id = nvml.live_instances(GPU_1)[0].gi_id
        machine.lose(1)
        with pytest.raises(NvmlError, match=r"^GPU 1") as error:
            nvml.destroy_gi(GPU_1, gi_id)
    assert error.value.code == GPU_IS_LOST


def test_a_survey_of_those_that_answer(make: MakeMachine) -> None:
    machine = make("h100-80gb", "h100-80gb=3g.40gb", "a100-40gb")
    with machine.open() as nvml:
        all_three = survey(nvml)
        machine.lose(1)
        seen = survey_each(nvml)
    assert seen.gpus == (all_three[0], all_three[2])
    assert list(seen.unseen) == [1]
    assert "lost" in seen.unseen[GPU_1]
    assert set(seen.by_uuid()) == {all_three[0].info.uuid, all_three[2].info.uuid}


def test_a_survey_is_all_of_it(make: MakeMachine) -> None:
    with make(SHARED, "a100-40gb", "l40s").open() as nvml:
        h100, a100, l40s = survey(nvml)
        assert h100.instances == nvml.live_instances(GPU_0)
    assert h100.layout == Layout(True, tuple(gi.spec for gi in h100.instances))
    assert [gpu.layout for gpu in (a100, l40s)] == [Layout(False), Layout(False)]
    assert [gpu.mode_needs_reset for gpu in (h100, a100, l40s)] == [False, True, False]
    assert [len(gpu.profiles) for gpu in (h100, a100, l40s)] == [7, 0, 0]
    assert [gpu.pci_device_id for gpu in (h100, a100, l40s)] == [
        load(key).pci_device_id for key in ("h100-80gb", "a100-40gb", "l40s")
    ]
