"""`recover`: where it goes, boot by boot, and that it may be run again and again."""

import pytest

from slurm_mig.errors import JournalError, NvmlError, SlurmMigError
from slurm_mig.gpu.change import committed, journal
from slurm_mig.gpu.change.bounded import Progress, watched
from slurm_mig.gpu.change.driver_drift import renamed
from slurm_mig.gpu.partitioning import Layout
from slurm_mig.system import epoch
from tests.gpu.change.test_partition import BESIDE, MODE, TWO, at_step, full_disk, give_up
from tests.gpu.changing import MakeScene, Scene, as_root_file


def broken_off(scene: Scene, number: int) -> Scene:
    """An apply that ended just before that step, without a word."""
    with pytest.raises(KeyError):
        scene.apply(watch=at_step(number, give_up))
    return scene


def wanted_of(scene: Scene) -> object:
    scene.apply()
    picture = scene.picture()
    scene.again()
    return picture


def test_without_a_journal_there_is_nothing_to_do(make_scene: MakeScene) -> None:
    scene = make_scene(*BESIDE)
    assert scene.recover().outcome == "nothing"
    assert epoch.generation(str(scene.root)) == 0


@pytest.mark.parametrize("number", range(1, 8))
def test_on_the_same_boot_it_goes_on(make_scene: MakeScene, number: int) -> None:
    scene = make_scene(*BESIDE)
    wanted = wanted_of(scene)
    assert broken_off(scene, number).recover().outcome == "done"
    assert scene.picture() == wanted
    assert list(committed.read(scene.root)) == [scene.live[0].info.uuid]
    assert epoch.generation(str(scene.root)) == 2  # who made a map meanwhile makes it again
    assert scene.recover().outcome == "nothing"


@pytest.mark.parametrize("number", range(1, 6))
def test_or_back_if_that_is_asked_for(make_scene: MakeScene, number: int) -> None:
    scene = broken_off(make_scene(*BESIDE), number)
    assert scene.recover(undo=True).outcome == "former"
    assert (scene.picture(), scene.journal()) == (scene.former, None)
    assert committed.read(scene.root) == {}


def test_before_the_first_change_all_is_as_before(make_scene: MakeScene) -> None:
    scene = broken_off(make_scene(*TWO), 0)
    result = scene.recover()
    assert (result.outcome, len(result.took)) == ("former", 0)
    assert scene.picture() == scene.former


def test_where_it_cannot_go_on_it_goes_back(make_scene: MakeScene) -> None:
    scene = broken_off(make_scene(*BESIDE), 3)
    scene.sim.fault("nvmlDeviceCreateGpuInstanceWithPlacement", code="INSUFFICIENT_RESOURCES")
    result = scene.recover()
    assert (result.outcome, scene.picture()) == ("former", scene.former)
    assert "(23)" in result.problem


def test_where_it_cannot_go_back_it_goes_on(make_scene: MakeScene) -> None:
    """A way back that was broken off, and one that something stands in the way of."""
    scene = make_scene(*BESIDE)
    wanted = wanted_of(scene)
    broken_off(scene, 5)
    entry = scene.journal()
    assert entry is not None
    journal.write(scene.root, entry._replace(state=journal.RESTORING))
    scene.sim.fault("nvmlComputeInstanceDestroy", code="IN_USE")
    assert scene.recover().outcome == "done"
    assert scene.picture() == wanted


@pytest.mark.parametrize("number", [0, 2, 4, 6, 9, 12, 15])
def test_after_a_reboot_it_goes_back(make_scene: MakeScene, number: int) -> None:
    """What was never verified was never committed. No geometry is left: it is made again."""
    scene = broken_off(make_scene(*TWO), number)
    scene.reboot()
    assert scene.picture() != scene.former
    assert scene.recover(run=watched).outcome == "former"
    assert scene.picture() == scene.former
    assert scene.recover().outcome == "nothing"


def test_a_second_reboot_in_the_middle_of_that(make_scene: MakeScene) -> None:
    scene = broken_off(make_scene(*TWO), 9)
    for boot in range(1, 4):
        scene.reboot(boot)
        with pytest.raises(KeyError):
            scene.recover(watch=at_step(boot + 2, give_up))
    assert scene.recover().outcome == "former"
    assert scene.picture() == scene.former


def test_a_mode_that_a_reboot_lost_comes_back(make_scene: MakeScene) -> None:
    """Hopper forgets it: the way back switches it on and asks again what fits."""
    scene = broken_off(make_scene(*BESIDE), 4)
    scene.reboot()
    assert scene.picture()[0][1] == 0
    assert scene.recover().outcome == "former"
    assert scene.picture() == scene.former


def test_an_unfinished_mode_change_after_a_reboot(make_scene: MakeScene) -> None:
    """Ampere's pending mode comes into force by the reboot; the way back takes it off again."""
    scene = broken_off(make_scene(*MODE), 1)
    scene.reboot()
    assert scene.picture()[0][1] == 1
    assert scene.recover().outcome == "former"
    assert scene.picture()[0] == scene.former[0]
    assert scene.resets == [scene.live[0].info.pci_bus_id]


def test_names_of_another_driver_are_no_obstacle(make_scene: MakeScene) -> None:
    scene = broken_off(make_scene(*TWO), 9)
    entry = scene.journal()
    assert entry is not None
    old = tuple(offer._replace(profile=_older(offer.profile)) for offer in scene.live[0].profiles)
    gpus = tuple(gpu._replace(former=renamed_to(gpu.former, old)) for gpu in entry.gpus)
    assert "3g.39gb" in journal.encode(entry._replace(gpus=gpus))
    journal.write(scene.root, entry._replace(gpus=gpus))
    scene.reboot()
    assert scene.recover().outcome == "former"
    assert scene.picture() == scene.former


def _older(profile: str) -> str:
    return profile.replace("40gb", "39gb").replace("10gb", "9gb")


def renamed_to(layout: Layout, offers: tuple) -> Layout:  # type: ignore[type-arg]
    """As an older driver named it."""
    return renamed(layout, offers)


def test_a_journal_that_cannot_be_read_changes_nothing(make_scene: MakeScene) -> None:
    scene = broken_off(make_scene(*BESIDE), 3)
    left = scene.picture()
    path = scene.root / "var/lib/slurm-mig/journal.json"
    as_root_file(path, path.read_text()[:-20])
    with pytest.raises(JournalError):
        scene.recover()
    assert scene.picture() == left


def test_a_disk_that_is_full_changes_nothing(make_scene: MakeScene) -> None:
    scene = broken_off(make_scene(*BESIDE), 3)
    left = scene.picture()
    with full_disk(), pytest.raises(SlurmMigError, match="nothing was changed"):
        scene.recover()
    assert scene.picture() == left
    assert scene.recover().outcome == "done"


def test_nvml_that_does_not_answer_changes_nothing(make_scene: MakeScene) -> None:
    scene = broken_off(make_scene(*BESIDE), 3)
    scene.sim.fault("nvmlInitWithFlags", code="DRIVER_NOT_LOADED")
    with pytest.raises(NvmlError):
        scene.recover()
    assert scene.recover().outcome == "done"


def test_a_gpu_that_is_gone(make_scene: MakeScene) -> None:
    """It is said; the journal stays for the day when it is back."""
    scene = broken_off(make_scene(*TWO), 17)
    scene.sim.lose(1)
    for _ in range(2):
        result = scene.recover()
        assert result.outcome == "stuck"
        assert "slurm-mig recover" in result.next_step
        assert scene.picture()[0] == scene.former[0]
    scene.sim.lose(1, False)
    assert scene.recover().outcome in ("done", "former")
    assert scene.journal() is None


def test_a_recover_that_hangs(make_scene: MakeScene) -> None:
    from tests.gpu.change.test_partition import QUICK

    scene = broken_off(make_scene(*TWO), 9)
    scene.sim.fault("nvmlDeviceCreateGpuInstanceWithPlacement", hang_ms=60_000)
    heard: list[Progress] = []
    result = scene.recover(run=watched, bounds=QUICK, watch=heard.append)
    assert result.outcome == "stuck"
    assert "no answer in time" in result.problem
    scene.sim.clear_faults()
    assert scene.recover().outcome == "done"
