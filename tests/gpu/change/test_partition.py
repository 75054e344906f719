"""A plan as a transaction: what is done, what is refused, and how each fault ends."""

import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slurm_mig.errors import CommandError, JournalError, NvmlError, Refused, SlurmMigError
from slurm_mig.gpu.change import committed, journal
from slurm_mig.gpu.change.bounded import Progress, watched
from slurm_mig.gpu.change.reset import ResetImpossible
from slurm_mig.gpu.change.transaction import Bounds
from slurm_mig.gpu.partitioning import GiSpec
from slurm_mig.model import Placement
from slurm_mig.system import epoch
from tests.gpu.changing import MakeScene, Scene, as_root_file
from tests.sim import library

BESIDE = ({0: "2g.20gb@0/1g.20gb/2x1g.10gb"}, "h100-80gb=2g.20gb@0/3g.40gb@4/1g.10gb@2")
TWO = ({0: "3g.40gb", 1: "7g.80gb"}, "h100-80gb=7x1g.10gb", "h100-80gb=3g.40gb@4")
MODE = ({0: "3g.20gb/2g.10gb"}, "a100-40gb", "a100-40gb=3g.20gb@4")
SCENES = {"beside": BESIDE, "two": TWO, "mode": MODE}
QUICK = Bounds(call_s=0.4, reset_s=0.4, nodes_s=0.4)
WRITES = {
    "nvmlDeviceSetMigMode": "mode",
    "nvmlDeviceCreateGpuInstanceWithPlacement": "beside",
    "nvmlGpuInstanceCreateComputeInstance": "beside",
    "nvmlComputeInstanceDestroy": "two",
    "nvmlGpuInstanceDestroy": "two",
}


def whole(scene: Scene, wanted: object, when: object = "") -> None:
    """What was interrupted is ended by `recover`, one way or the other."""
    scene.sim.clear_faults()
    recovered = scene.recover()
    assert scene.picture() in (scene.former, wanted), (when, recovered)
    assert scene.journal() is None, (when, recovered)


def at_step(number: int, act: Callable[[], object]) -> Callable[[Progress], None]:
    """A watcher: `act` happens just before that step, counted from 0, is made."""
    heard = iter(range(1000))

    def watch(progress: Progress) -> None:
        if progress.total and next(heard) == number:
            act()

    return watch


def give_up() -> None:
    """What nobody catches, as if the process had died here."""
    raise KeyError


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can be written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# What is done


@pytest.mark.parametrize("name", SCENES)
def test_the_gpus_are_as_wanted_and_that_is_committed(make_scene: MakeScene, name: str) -> None:
    scene = make_scene(*SCENES[name])
    result = scene.apply()
    assert (result.outcome, result.problem, result.next_step) == ("done", "", "")
    live = scene.look()
    uuids = [live[index].info.uuid for index in scene.wanted]
    assert committed.read(scene.root) == {uuid: live[i].layout for i, uuid in enumerate(uuids)}
    assert [end.gpu_uuid for end in result.gpus] == uuids
    assert scene.journal() is None
    assert not any(plan.steps for plan in scene.plans_of(live))


def test_what_stays_is_not_touched(make_scene: MakeScene) -> None:
    scene = make_scene(*BESIDE)
    with scene.sim.running(scene.uuid_at(0, 0)) as process:
        busy = scene.processes()
        assert scene.apply().outcome == "done"
        assert scene.processes() == busy
        assert process.poll() is None
    assert [gi.placement for gi in scene.look()[0].instances] == [
        Placement(0, 2), Placement(2, 1), Placement(3, 1), Placement(6, 2)
    ]  # fmt: skip


def test_a_reset_is_of_the_gpu_that_needs_it_only(make_scene: MakeScene) -> None:
    scene = make_scene(*MODE)
    scene.apply()
    assert scene.resets == [scene.live[0].info.pci_bus_id]
    assert scene.picture()[1] == scene.former[1]


def test_no_session_is_open_during_a_reset(make_scene: MakeScene) -> None:
    scene = make_scene(*MODE)
    trace = scene.root.parent / "trace"

    def reset(pci_bus_id: str) -> None:
        calls = [line.split()[1] for line in trace.read_text().splitlines()]
        assert calls.count("nvmlInitWithFlags") == calls.count("nvmlShutdown")
        scene.reset(pci_bus_id)

    scene.sim.trace(trace)
    assert scene.apply(reset=reset).outcome == "done"


def test_each_step_is_written_down_before_it_is_made(make_scene: MakeScene) -> None:
    scene = make_scene(*MODE)
    seen: list[tuple[str, str | None]] = []
    pictures = set()

    def watch(progress: Progress) -> None:
        entry = scene.journal()
        if progress.total and entry is not None:
            assert epoch.generation(str(scene.root)) == 1
            pictures.add(scene.picture())
            seen.append((progress.doing, entry.about))

    scene.apply(watch=watch)
    steps = [doing for doing, _ in seen if doing.startswith("GPU ")]
    assert (len(steps), len(pictures)) == (6, 7)  # and one at the end
    assert [about for _, about in seen][1:6] == steps[:5]  # the one before: then comes the next


def test_how_long_it_took_is_told_exactly(make_scene: MakeScene) -> None:
    scene = make_scene(*BESIDE)
    ticks = iter(range(1000))
    result = scene.apply(clock=lambda: float(next(ticks)))
    assert [took.seconds for took in result.took] == [1.0] * len(result.took)
    assert result.seconds == 2 * len(result.took) + 1
    assert "create 1g.20gb@6" in result.took[2].what


def test_with_nothing_to_do_only_the_commit_is_made(make_scene: MakeScene) -> None:
    scene = make_scene({0: "3g.40gb@4"}, "h100-80gb=3g.40gb@4")
    assert scene.apply().outcome == "nothing"
    assert list(committed.read(scene.root)) == [scene.live[0].info.uuid]
    assert epoch.generation(str(scene.root)) == 0
    assert scene.picture() == scene.former


def test_others_stay_committed(make_scene: MakeScene) -> None:
    scene = make_scene(*TWO)
    first, second = scene.plans()
    scene.apply([first])
    scene.apply([second])
    assert len(committed.read(scene.root)) == 2


# What is refused: nothing is changed, and nothing is written


def refused(scene: Scene, **more: object) -> str:
    with pytest.raises((Refused, JournalError, NvmlError, SlurmMigError)) as error:
        scene.apply(**more)  # type: ignore[arg-type]
    assert scene.picture() == scene.former
    return str(error.value)


def test_a_plan_with_problems(make_scene: MakeScene) -> None:
    scene = make_scene({0: "2x4g.40gb", 1: "7g.80gb/1g.10gb"}, "h100-80gb", "h100-80gb=mig")
    live = tuple(gpu._replace(profiles=scene.live[1].profiles) for gpu in scene.live)
    assert "2 problems" in refused(scene, plans=scene.plans_of(live))
    assert scene.journal() is None


def test_what_changed_since_it_was_planned(make_scene: MakeScene) -> None:
    scene = make_scene(*TWO)
    scene.sim.partition(1, "2g.20gb")
    scene.former = scene.picture()
    assert "GPU 1" in refused(scene)
    assert scene.journal() is None


def test_a_gpu_that_does_not_answer(make_scene: MakeScene) -> None:
    scene = make_scene(*TWO)
    scene.sim.lose(1)
    scene.former = scene.picture()
    assert "lost" in refused(scene)


def test_two_plans_for_one_gpu(make_scene: MakeScene) -> None:
    scene = make_scene(*BESIDE)
    assert "two plans" in refused(scene, plans=scene.plans() * 2)


def test_while_another_apply_is_open(make_scene: MakeScene) -> None:
    scene = make_scene(*BESIDE)
    with pytest.raises(KeyError):
        scene.apply(watch=at_step(1, give_up))
    scene.live = scene.look()
    scene.former = scene.picture()
    assert "slurm-mig recover" in refused(scene)
    # Nor is anything committed meanwhile.
    with pytest.raises(JournalError):
        scene.apply([plan._replace(steps=()) for plan in scene.plans()])


@pytest.mark.parametrize("name", ["journal.json", "committed.json"])
def test_while_a_file_cannot_be_read(make_scene: MakeScene, name: str) -> None:
    scene = make_scene(*BESIDE)
    as_root_file(scene.root / "var/lib/slurm-mig" / name, "{")
    assert name in refused(scene)


def test_when_the_journal_cannot_be_begun(make_scene: MakeScene) -> None:
    scene = make_scene(*BESIDE)
    with full_disk():
        assert "nothing was changed" in refused(scene)
    assert scene.journal() is None


# Faults


@pytest.mark.parametrize("name", SCENES)
def test_every_nvml_call_failing_once(make_scene: MakeScene, name: str) -> None:
    """It ends as before or as wanted, whichever call it was."""
    scene = make_scene(*SCENES[name])
    scene.apply()
    wanted, ends = scene.picture(), set()
    for number in range(1000):
        scene.again().sim.fault("*", code="UNKNOWN", after=number)
        try:
            result = scene.apply()
        except SlurmMigError:
            assert scene.picture() == scene.former, number
            ends.add("refused")
            continue
        finally:
            met = scene.sim.show()["faults"][0]["seen"] > number
        ends.add(result.outcome)
        assert scene.picture() == (wanted if result.outcome == "done" else scene.former), result
        assert scene.journal() is None, result
        if not met:
            break
    assert ends == {"refused", "former", "done"}


@pytest.mark.parametrize("name", SCENES)
def test_every_nvml_call_failing_for_ever(make_scene: MakeScene, name: str) -> None:
    """It stops and says so; when NVML answers again, `recover` ends it."""
    scene = make_scene(*SCENES[name])
    scene.apply()
    wanted, outcomes = scene.picture(), set()
    for number in range(0, 1000, 3):
        scene.again().sim.fault("*", code="UNKNOWN", after=number, once=False)
        try:
            result = scene.apply()
        except SlurmMigError:
            outcomes.add("refused")
        else:
            outcomes.add(result.outcome)
            if result.outcome == "stuck":
                assert scene.journal() is not None
                assert "slurm-mig recover" in result.next_step
                assert {end.holds for end in result.gpus} == {"unknown"}
            if result.outcome == "done":
                break
        whole(scene, wanted, number)
    assert outcomes == {"refused", "stuck", "done"}


@pytest.mark.parametrize("call", WRITES)
def test_a_call_that_hangs_is_left_by_its_process(make_scene: MakeScene, call: str) -> None:
    scene = make_scene(*SCENES[WRITES[call]])
    scene.sim.fault(call, hang_ms=60_000)
    began = time.monotonic()
    result = scene.apply(run=watched, bounds=QUICK)
    assert time.monotonic() - began < 10
    assert (result.outcome, scene.picture()) == ("former", scene.former)
    assert "no answer in time" in result.problem
    assert scene.journal() is None


@pytest.mark.parametrize(
    ("call", "number"), [("nvmlGpuInstanceDestroy", 2), ("nvmlDeviceGetGpuInstances", 20)]
)
def test_a_call_that_hangs_for_ever(make_scene: MakeScene, call: str, number: int) -> None:
    scene = make_scene(*TWO)
    scene.apply()
    wanted = scene.picture()
    scene.again().sim.fault(call, hang_ms=60_000, once=False, after=number)
    began = time.monotonic()
    result = scene.apply(run=watched, bounds=QUICK)
    assert time.monotonic() - began < 10
    assert result.outcome in ("former", "stuck")
    assert (scene.journal() is None) == (result.outcome == "former")
    whole(scene, wanted)


def test_nvml_that_hangs_before_the_first_change(make_scene: MakeScene) -> None:
    scene = make_scene(*TWO)
    scene.sim.fault("nvmlDeviceGetCount_v2", hang_ms=60_000, once=False)
    assert "nothing was changed" in refused(scene, run=watched, bounds=QUICK)


@pytest.mark.parametrize("call", ["nvmlInitWithFlags", *WRITES])
def test_a_worker_that_is_killed(make_scene: MakeScene, call: str) -> None:
    scene = make_scene(*SCENES[WRITES.get(call, "two")])
    scene.sim.fault(call, kill=True, late=True)
    if call not in WRITES:
        assert "SIGKILL: nothing was changed" in refused(scene, run=watched)
        return
    result = scene.apply(run=watched)
    assert (result.outcome, scene.picture()) == ("former", scene.former)
    assert "SIGKILL" in result.problem
    assert scene.journal() is None


def test_a_worker_that_is_killed_when_all_is_done(make_scene: MakeScene) -> None:
    scene = make_scene(*TWO)
    scene.apply()
    wanted = scene.picture()
    for number, outcome in (("1", "refused"), ("2", "done"), ("3", "done")):
        # The sessions: the look, the changes, the verification.
        scene.again().sim.fault("nvmlShutdown", kill=True, after=int(number) - 1)
        if outcome == "refused":
            refused(scene, run=watched)
            continue
        assert scene.apply(run=watched).outcome == outcome
        assert (scene.picture(), scene.journal()) == (wanted, None)


def test_an_interrupt_goes_back(make_scene: MakeScene) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    scene = make_scene(*BESIDE)
    # The worker does not wait for its parent: so that it is not at its end yet, it takes long.
    scene.sim.fault("nvmlDeviceCreateGpuInstanceWithPlacement", hang_ms=10_000)
    with pytest.raises(KeyboardInterrupt) as interrupted:
        scene.apply(run=watched, watch=at_step(2, interrupt))
    assert (scene.picture(), scene.journal()) == (scene.former, None)
    assert interrupted.value.__notes__ == ["all GPUs are as before"]


def test_a_bug_of_who_watches_goes_back(make_scene: MakeScene) -> None:
    def lose_the_terminal() -> None:
        raise OSError(5, "Input/output error")

    scene = make_scene(*BESIDE)
    scene.sim.fault("nvmlDeviceCreateGpuInstanceWithPlacement", hang_ms=10_000)
    with pytest.raises(OSError, match="Input/output error") as lost:
        scene.apply(run=watched, watch=at_step(2, lose_the_terminal))
    assert (scene.picture(), scene.journal()) == (scene.former, None)
    assert lost.value.__notes__ == ["all GPUs are as before"]


def test_a_process_that_grabs_a_slice(make_scene: MakeScene) -> None:
    """Between the preflight and the destroy: what was done goes back, the process stays."""
    scene = make_scene(*TWO)
    third = scene.live[0].instances[2].gi_id

    def grab() -> None:
        place = (0, third, 0)
        assert library.add_process(scene.sim.dir, os.getpid(), 0, place, ()) == 0

    result = scene.apply(watch=at_step(3, grab))
    assert (result.outcome, scene.picture()) == ("former", scene.former)
    assert "In use" in result.problem
    assert scene.processes() == [(os.getpid(), 0, third, 0)]


def test_a_gpu_that_falls_off_the_bus_midway(make_scene: MakeScene) -> None:
    """The others go back; of that one it is said that nobody knows."""
    scene = make_scene(*TWO)
    scene.apply()
    wanted = scene.picture()
    scene.again()
    result = scene.apply(watch=at_step(17, lambda: scene.sim.lose(1)))
    assert result.outcome == "stuck"
    assert [end.holds for end in result.gpus][1] == "unknown"
    assert scene.picture()[0] == scene.former[0]
    assert "GPU 1" in result.problem
    assert scene.recover().outcome == "stuck"
    scene.sim.lose(1, False)
    whole(scene, wanted)


def test_a_gpu_that_was_left_alone_and_falls_off_the_bus(make_scene: MakeScene) -> None:
    scene = make_scene(*MODE)
    result = scene.apply(watch=at_step(3, lambda: scene.sim.lose(1)))
    assert result.outcome == "done"
    assert len(result.remarks) == 1


def test_a_gpu_that_was_left_alone_and_changes(make_scene: MakeScene) -> None:
    scene = make_scene(*MODE)
    result = scene.apply(make_nodes=lambda _: scene.sim.partition(1, "7g.40gb"))
    assert "was to be left alone and has changed" in result.problem
    assert result.outcome == "stuck"  # nobody can bring that one back
    assert scene.picture()[0] == scene.former[0]


def test_a_reset_that_is_impossible(make_scene: MakeScene) -> None:
    """It is tried once and says: reboot. After that `recover` goes on."""
    scene = make_scene(*MODE)
    tried = []

    def reset(pci_bus_id: str) -> None:
        tried.append(pci_bus_id)
        raise ResetImpossible("Resetting GPU is not supported")

    result = scene.apply(reset=reset)
    assert (result.outcome, len(tried)) == ("reboot", 1)
    assert result.next_step.startswith("reboot the node, then")
    entry = scene.journal()
    assert entry is not None
    assert entry.reboot
    assert scene.recover(reset=reset).outcome == "reboot"
    assert len(tried) == 2
    scene.reboot()
    assert scene.recover(reset=reset).outcome == "done"
    assert [gi.profile for gi in scene.look()[0].instances] == ["2g.10gb", "3g.20gb"]


def test_or_taken_back(make_scene: MakeScene) -> None:
    scene = make_scene(*MODE)
    assert scene.apply(reset=_impossible).outcome == "reboot"
    assert scene.recover(reset=_impossible, undo=True).outcome == "former"
    assert (scene.picture(), scene.journal()) == (scene.former, None)


def _impossible(pci_bus_id: str) -> None:
    raise ResetImpossible(f"GPU {pci_bus_id}: not supported")


def test_a_reset_that_fails_this_time(make_scene: MakeScene) -> None:
    def reset(pci_bus_id: str) -> None:
        raise CommandError("a client is on it")

    scene = make_scene(*MODE)
    result = scene.apply(reset=reset)
    assert (result.outcome, result.problem) == ("former", "a client is on it")
    assert scene.picture() == scene.former


def test_a_client_in_the_way_of_a_mode(make_scene: MakeScene) -> None:
    """What IN_USE leaves pending is taken back: else it would come with the next reset."""
    scene = make_scene(*MODE)
    scene.sim.fault("nvmlDeviceSetMigMode", code=0)
    place = (0, library.NONE, library.NONE)
    assert library.add_process(scene.sim.dir, os.getpid(), 2, place, ()) == 0
    result = scene.apply()
    assert (result.outcome, scene.picture()) == ("former", scene.former)


@pytest.mark.parametrize("name", SCENES)
def test_a_disk_that_is_full_from_some_step_on(make_scene: MakeScene, name: str) -> None:
    """A change that cannot be written down is not made; the way back needs no room."""
    scene = make_scene(*SCENES[name])
    steps = len(scene.apply().took)
    for number in range(steps):
        scene.again()
        with full_disk_from(number) as watch:
            result = scene.apply(watch=watch)
        assert result.outcome == "former", number
        assert (scene.picture(), scene.journal()) == (scene.former, None), number


@contextmanager
def full_disk_from(number: int) -> Iterator[Callable[[Progress], None]]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield at_step(number, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_device_nodes_that_cannot_be_made(make_scene: MakeScene) -> None:
    def make_nodes(root: Path) -> None:
        if len(made) == 0:
            made.append(root)
            raise SlurmMigError("no nodes")

    made: list[Path] = []
    scene = make_scene(*BESIDE)
    result = scene.apply(make_nodes=make_nodes)
    assert (result.outcome, result.problem) == ("former", "no nodes")
    assert scene.picture() == scene.former
    assert made == [scene.root]


def test_a_driver_that_places_something_elsewhere(make_scene: MakeScene) -> None:
    """What is there is verified in a session of its own, not believed."""
    scene = make_scene(*BESIDE)
    (plan,) = scene.plans()
    first = plan.target.instances[0]
    elsewhere = plan._replace(
        target=plan.target._replace(instances=(GiSpec(first.profile, Placement(4, 2), first.cis),))
    )
    result = scene.apply([elsewhere])
    assert (result.outcome, scene.picture()) == ("former", scene.former)
    assert "not as it should be" in result.problem


def test_two_applies_at_once(make_scene: MakeScene) -> None:
    """Even without the node's lock: one begins, the other changes nothing."""
    scene = make_scene(*TWO)
    scene.apply()
    wanted = scene.picture()
    for _ in range(10):
        scene.again()
        plans = scene.plans()
        children = [_applies(scene, plans) for _ in range(3)]
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
        assert sorted(codes) == [0, 7, 7]
        assert (scene.picture(), scene.journal()) == (wanted, None)


def _applies(scene: Scene, plans: list) -> int:  # type: ignore[type-arg]
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if scene.apply(plans).outcome == "done" else 2
        except (Refused, JournalError, NvmlError):  # nothing was changed by this one
            code = 7
        finally:
            os._exit(code)
    return pid


def test_an_apply_whose_journal_was_taken_over_stops(make_scene: MakeScene) -> None:
    scene = make_scene(*TWO)

    def take() -> None:
        entry = scene.journal()
        assert entry is not None
        journal.take_over(scene.root, entry)
        pictures.append(scene.picture())

    pictures: list[object] = []
    result = scene.apply(watch=at_step(3, take))
    assert result.outcome == "stuck"
    assert "another one runs" in result.problem
    assert pictures == [scene.picture()]  # not one change more


@pytest.mark.parametrize("number", [0, 2, 5, 9, 16, 18])
def test_a_reboot_midway_goes_back(make_scene: MakeScene, number: int) -> None:
    scene = make_scene(*TWO)
    with pytest.raises(KeyError):
        scene.apply(watch=at_step(number, give_up))
    scene.reboot()
    result = scene.recover()
    assert (result.outcome, scene.picture()) == ("former", scene.former)
    assert scene.recover().outcome == "nothing"
