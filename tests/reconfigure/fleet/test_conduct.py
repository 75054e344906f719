"""Many nodes: whatever fails, dies or is lost, each is right, or drained with a true reason."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from slurm_mig.reconfigure.fleet.reached import order_of
from slurm_mig.reconfigure.fleet.record import RunRecord
from tests.reconfigure.fleet.fleets import FORMER_TYPES, TARGET_TYPES, Fleet, Killed

Made = Callable[..., Fleet]


@pytest.fixture
def made(memory: Path) -> Made:
    """A new fleet, in a folder of its own."""
    count = 0

    def make(nodes: int = 4, at_once: int = 2, may_fail: int = 1, **more: int) -> Fleet:
        nonlocal count
        count += 1
        root = memory / f"fleet{count}"
        root.mkdir()
        return Fleet(root, nodes, at_once, may_fail, **more)

    return make


def outcomes(record: RunRecord) -> list[str]:
    return [one.outcome or one.stage for one in record.nodes]


def test_sixty_four_in_waves_of_eight(made: Made) -> None:
    fleet = made(64, 8)
    record = fleet.run()
    assert set(outcomes(record)) == {"done"}
    fleet.must_have_ended(record)
    assert [len(each) for each in fleet.publications] == [8] * 8
    assert fleet.slurm.commands.count("reconfigure") == 8
    assert [one.wave for one in record.nodes] == [number for number in range(1, 9) for _ in "8" * 8]
    assert record.ended
    assert not record.problem


def test_no_slurmd_stands_still_while_others_wait_for_jobs(made: Made) -> None:
    fleet = made(3, 3)
    stopped: list[str] = []

    def look() -> None:
        stopped.extend(name for name, each in fleet.members.items() if each.loaded is None)

    for member in fleet.members.values():
        member.at["WAIT ended"] = look
    fleet.run()
    assert stopped == []


def test_a_wave_of_one_is_ordered_once_less(made: Made) -> None:
    fleet = made(2, 1)
    assert fleet.run().done
    assert [call for call in fleet.calls if call.startswith("order")] == [
        *["order n01"] * 2,
        *["order n02"] * 2,
    ]


def test_what_is_as_wanted_already(made: Made) -> None:
    fleet = made()
    fleet.run()
    fleet.start = fleet.start._replace(run_id="ffffffff")
    again = fleet.run()
    assert set(outcomes(again)) == {"nothing"}
    assert len(fleet.publications) == 2


def test_one_that_fails_before_slurm_was_told(made: Made) -> None:
    """It goes back by itself; the others of its wave go on; no new wave begins."""
    fleet = made()
    fleet.members["n01"].broken["change"] = 1
    record = fleet.run()
    assert outcomes(record) == ["former", "done", "waiting", "waiting"]
    assert fleet.publications == [{"n02": "target"}]
    assert record.problem == "1 failed, of which there may be 1: 2 nodes not begun"
    fleet.must_have_ended(record)


def test_two_that_fail_after_slurm_was_told_go_back_together(made: Made) -> None:
    fleet = made(6, 4)
    for name in ("n01", "n03"):
        fleet.members[name].broken["start slurmd"] = 1
    record = fleet.run()
    assert outcomes(record) == ["former", "done", "former", "done", "waiting", "waiting"]
    assert fleet.publications == [
        dict.fromkeys(("n01", "n02", "n03", "n04"), "target"),
        {"n01": "former", "n03": "former"},
    ]
    fleet.must_have_ended(record)


def test_so_many_may_fail(made: Made) -> None:
    fleet = made(6, 2, may_fail=2)
    for name in ("n01", "n04"):
        fleet.members[name].broken["change"] = 1
    record = fleet.run()
    assert outcomes(record) == ["former", "done", "done", "former", "waiting", "waiting"]


def test_what_stays_out_of_service_takes_a_place(made: Made) -> None:
    fleet = made(6, 2, may_fail=9)
    fleet.members["n01"].broken["start slurmd"] = 9
    record = fleet.run()
    assert outcomes(record) == ["drained", "done", "done", "done", "done", "done"]
    assert [one.wave for one in record.nodes] == [1, 1, 2, 3, 4, 5]
    fleet.must_have_ended(record)
    fleet.members["n01"].broken.clear()
    again = fleet.resume()
    assert outcomes(again)[0] == "former"
    fleet.must_have_ended(again)


def test_taken_up_again_what_failed_is_tried_once_more(made: Made) -> None:
    fleet = made()
    fleet.members["n01"].broken["change"] = 1
    fleet.run()
    record = fleet.resume()
    assert outcomes(record) == ["done"] * 4
    assert record.node("n01").attempt == 2
    assert order_of(record, record.node("n01")).run_id.endswith(".2")
    fleet.must_have_ended(record)


def test_a_node_that_nobody_reaches(made: Made) -> None:
    fleet = made()
    fleet.members["n02"].reached = False
    record = fleet.run()
    assert outcomes(record) == ["done", "unreached", "waiting", "waiting"]
    assert record.node("n02").problem == "not reached"
    fleet.must_have_ended(record)
    fleet.members["n02"].reached = True
    assert outcomes(fleet.resume()) == ["done"] * 4


def test_a_node_that_is_lost_when_slurm_has_been_told(made: Made) -> None:
    fleet = made()
    original = fleet.reread

    def lose() -> None:
        original()
        fleet.members["n01"].reached = False

    fleet.reread = lose  # type: ignore[method-assign]
    record = fleet.run()
    assert outcomes(record) == ["lost", "done", "waiting", "waiting"]
    node = fleet.slurm.nodes["n01"]
    assert node.reason.startswith("slurm-mig reconfigure --resume [0a1b2c3d] on ctl: not reached")
    fleet.must_have_ended(record)
    fleet.reread, fleet.members["n01"].reached = original, True  # type: ignore[method-assign]
    assert outcomes(fleet.resume()) == ["done"] * 4
    assert fleet.is_right("n01", TARGET_TYPES)


def test_slurm_conf_was_changed_by_hand(made: Made) -> None:
    """Nothing was published: the wave goes back, and the run stops."""
    fleet = made()
    fleet.edited = True
    record = fleet.run()
    assert outcomes(record) == ["former", "former", "waiting", "waiting"]
    assert "+# by hand" in record.problem
    assert fleet.publications == []
    fleet.must_have_ended(record)
    assert outcomes(fleet.resume()) == ["done"] * 4


def test_slurmctld_does_not_take_it(made: Made) -> None:
    """Files were written: they are published back, since nobody knows who has read them."""
    fleet = made()
    fleet.deaf = 1
    record = fleet.run()
    assert outcomes(record) == ["former", "former", "waiting", "waiting"]
    assert fleet.publications == [{"n01": "former", "n02": "former"}]
    fleet.must_have_ended(record)


def test_slurmctld_does_not_come_back(made: Made) -> None:
    fleet = made()
    fleet.deaf = 9
    record = fleet.run()
    assert outcomes(record) == ["drained", "drained", "waiting", "waiting"]
    assert "--resume" in fleet.slurm.nodes["n01"].reason
    fleet.deaf = 0
    again = fleet.resume()
    assert set(outcomes(again)) == {"former", "waiting"}
    assert fleet.is_right("n01", FORMER_TYPES)


def test_somebody_resumes_a_node_while_it_is_held(made: Made) -> None:
    fleet = made()

    def resume() -> None:
        fleet.slurm.nodes["n01"].flags.discard("DRAIN")

    fleet.members["n02"].at["stop"] = resume
    record = fleet.run()
    assert outcomes(record) == ["former", "done", "waiting", "waiting"]
    assert "somebody has resumed n01" in record.node("n01").problem
    assert fleet.publications == [{"n02": "target"}]
    fleet.must_have_ended(record)


def test_a_dynamic_node_waits_for_nobody(made: Made) -> None:
    fleet = made(4, 4, dynamic=2)
    record = fleet.run()
    assert outcomes(record) == ["done"] * 4
    assert fleet.publications == [{"n03": "target", "n04": "target"}]
    fleet.must_have_ended(record)


def test_a_node_that_was_recovered_by_hand_meanwhile(made: Made) -> None:
    """The run was cut short while it was held; somebody went back there: so it stays."""
    fleet = made(2, 2)
    fleet.kill_at = 1 + _calls_before(made(2, 2), "publish")
    with pytest.raises(Killed):
        fleet.run()
    member, fleet.kill_at = fleet.members["n01"], None
    from slurm_mig.reconfigure import loop

    assert loop.recover(member.again(), undo=True).outcome == "former"
    record = fleet.resume()
    assert outcomes(record) == ["former", "done"]
    assert fleet.publications == [{"n02": "target"}]
    fleet.must_have_ended(record)


def _calls_before(fleet: Fleet, name: str) -> int:
    fleet.run()
    return fleet.calls.index(name)


def test_the_conductor_is_killed_at_every_call_and_resumed(made: Made) -> None:
    number = 0
    while True:
        number += 1
        fleet = made(3, 2)
        fleet.kill_at = number
        try:
            fleet.run()
            break
        except Killed as when:
            fleet.kill_at = None
            record = fleet.resume()
            assert set(outcomes(record)) <= {"done"}, (number, when, outcomes(record))
            fleet.must_have_ended(record)
    assert number > 80


def test_killed_on_the_way_back_too(made: Made) -> None:
    for number in range(1, 400, 3):
        fleet = made(3, 3)
        fleet.members["n02"].broken["map"] = 1
        fleet.kill_at = number
        try:
            fleet.run()
            assert number > 60
            return
        except Killed:
            fleet.kill_at = None
            fleet.must_have_ended(fleet.resume())


@pytest.mark.parametrize("seed", range(24))
def test_whatever_happens(made: Made, seed: int) -> None:
    """Failures and deaths at random; then all is well, and it is taken up again until done."""
    random = Random(seed)
    fleet = made(random.randint(2, 12), random.randint(1, 5), random.randint(1, 4))
    for member in fleet.members.values():
        if random.random() < 0.4:
            call = random.choice(["drain", "jobs_on", "stop", "change", "start slurmd", "map"])
            member.broken[call] = random.choice([1, 1, 2, 9])
        if random.random() < 0.3:
            member.kill_in = random.randint(1, 90)
    if random.random() < 0.5:
        fleet.kill_at = random.randint(1, 200)
    fleet.deaf = random.choice([0, 0, 0, 1, 2])
    record = None
    try:
        record = fleet.run()
    except Killed:
        fleet.kill_at = None
    else:
        fleet.must_have_ended(record)
    for member in fleet.members.values():
        member.broken.clear()
        member.kill_in = 0
    fleet.deaf, fleet.kill_at = 0, None
    for _ in range(6):
        record = fleet.resume()
        fleet.must_have_ended(record)
        if record.done:
            break
    assert record is not None
    assert record.done, outcomes(record)
    assert all(fleet.is_right(name, TARGET_TYPES) for name in fleet.members)
