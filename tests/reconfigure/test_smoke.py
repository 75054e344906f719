"""Test jobs on each slice, and nobody else's meanwhile; what fails in them, and who comes."""

from pathlib import Path
from typing import Any

import pytest

from slurm_mig.reconfigure import loop, smoke
from slurm_mig.reconfigure import record as records
from slurm_mig.reconfigure.world import Said
from slurm_mig.slurm.controller.client import Reservation
from tests.fakes_slurm import FakeSlurmClient
from tests.reconfigure.worlds import FORMER_TYPES, NODE, RUN, TARGET_TYPES, Bench, Killed

NAME = f"slurm-mig_recover_{RUN}"


@pytest.fixture
def bench(memory: Path) -> Bench:
    return Bench(memory, smoke=True)


def client(bench: Bench) -> FakeSlurmClient:
    """Somebody else at the same cluster."""
    return FakeSlurmClient(bench.slurm)


def reserve(bench: Bench, name: str = "theirs", **more: Any) -> None:
    """Somebody reserves the node."""
    kept = Reservation(name, (NODE,), True, None, None)
    bench.slurm.reservations[name] = kept._replace(**more)


def states(bench: Bench) -> set[str]:
    return {job.state for job in bench.slurm.jobs.values()}


def test_one_job_a_slice_that_asks_for_its_type(bench: Bench) -> None:
    assert loop.forward(bench.run()).outcome == "done"
    asked = sorted(batch.gres for batch in bench.slurm.batches.values())
    assert asked == ["gpu:1g.10gb:1", "gpu:1g.10gb:1", "gpu:2g.20gb:1", "gpu:3g.40gb:1"]
    assert {batch.reservation for batch in bench.slurm.batches.values()} == {NAME}
    assert len({batch.name for batch in bench.slurm.batches.values()}) == 4
    assert states(bench) == {"COMPLETED"}
    assert bench.slurm.reservations == {}
    assert bench.is_right(TARGET_TYPES)


def test_none_where_none_was_asked_for(memory: Path) -> None:
    bench = Bench(memory)
    assert loop.forward(bench.run()).outcome == "done"
    assert not bench.slurm.batches


def test_others_wait_until_it_is_over(bench: Bench) -> None:
    seen = []

    def look() -> None:
        bench.slurm.schedule()
        seen.append(bench.slurm.jobs[waiting.job_id].state)

    client(bench).drain(NODE, "slurm-mig reconfigure")
    waiting = bench.slurm.submit("gpu:1g.10gb:1", NODE)
    for call in ("SMOKE begins", "said", "trials end", "SMOKE ended"):
        bench.at[call] = look
    assert loop.forward(bench.run()).outcome == "done"
    assert seen == ["PENDING"] * 4
    assert bench.slurm.jobs[waiting.job_id].state == "RUNNING"


def test_killed_anywhere_nobody_comes_before_it_is_over(bench: Bench) -> None:
    """With a job that waits for just these slices: it runs where RESUME has begun, or not."""
    number = 0
    while True:
        number += 1
        one = Bench(bench.root / str(number), smoke=True)
        one.root.mkdir()
        client(one).drain(NODE, "slurm-mig reconfigure")
        job = one.slurm.submit("gpu:1g.10gb:1", NODE).job_id
        one.kill_at = number
        try:
            loop.forward(one.run())
            assert number > 60
            return
        except Killed as when:
            one.kill_at = None
            one.slurm.schedule()
            left = records.read(one.root)
            if one.slurm.jobs[job].state == "RUNNING":
                assert left is None or left.phase in ("RESUME", "COMMIT"), when


@pytest.mark.parametrize("place", range(4))
def test_a_job_that_got_something_else_leads_back(bench: Bench, place: int) -> None:
    bench.told[place] = Said(0, ((place + 1) % 4,), ("0",))
    ended = loop.forward(bench.run())
    assert ended.outcome == "former"
    assert ended.problem.startswith("test jobs: ")
    assert bench.is_right(FORMER_TYPES)
    assert bench.slurm.reservations == {}
    assert states(bench) == {"COMPLETED"}


def test_what_was_before_is_not_tested(bench: Bench) -> None:
    bench.told[0] = Said(1, (), (), "no")
    run = bench.run()
    assert loop.forward(run).outcome == "former"
    assert [one.phase for one in run.took if one.goal == "former"][-2:] == ["RESUME", "COMMIT"]
    assert len(bench.slurm.batches) == 4


def test_a_job_that_tells_nothing_in_time(bench: Bench) -> None:
    bench.silent = {2}
    ended = loop.forward(bench.run(smoke_s=30.0))
    assert ended.outcome == "former"
    assert "1 of 4 test jobs have told nothing after 30 s" in ended.problem
    assert bench.is_right(FORMER_TYPES)


def test_a_job_that_ends_and_tells_nothing(bench: Bench) -> None:
    bench.silent = {1}
    lost: list[int] = []

    def end() -> None:
        lost.extend(job for job in bench.slurm.batches if _place(bench, job) == 1)
        bench.slurm.end(lost[0])

    bench.at["said"] = end
    ended = loop.forward(bench.run())
    assert ended.outcome == "former"
    assert f"test job {lost[0]} ended and told nothing" in ended.problem


def _place(bench: Bench, job: int) -> int:
    (held,) = bench.slurm.jobs[job].held or ()
    (place,) = held.indices or ()
    return place


def test_a_prolog_that_fails_drains_and_that_drain_is_nobody_s(bench: Bench) -> None:
    bench.silent = {0}
    bench.at["said"] = lambda: client(bench).drain(NODE, "Prolog error : slurm-mig prolog: no")
    ended = loop.forward(bench.run())
    assert ended.outcome == "former"
    assert "was drained while test jobs ran: Prolog error" in ended.problem
    assert bench.is_right(FORMER_TYPES)


def test_somebody_drains_it_while_they_run(bench: Bench) -> None:
    bench.at["said"] = lambda: client(bench).drain(NODE, "a fan is loud")
    ended = loop.forward(bench.run())
    assert ended.outcome == "done"
    assert "DRAIN" in bench.node
    assert bench.reason == "a fan is loud"
    assert bench.slurm.reservations == {}


def test_what_somebody_had_drained_is_not_taken_into_service(bench: Bench) -> None:
    client(bench).drain(NODE, "a disk is slow")
    ended = loop.forward(bench.run())
    assert ended.outcome == "done"
    assert not bench.slurm.batches
    assert any("no test jobs: n1 was drained by somebody" in one for one in ended.remarks)
    assert bench.reason == "a disk is slow"


def test_somebody_has_resumed_it(bench: Bench) -> None:
    bench.at["SMOKE begins"] = lambda: client(bench).resume(NODE)
    ended = loop.forward(bench.run())
    assert ended.outcome == "done"
    assert not bench.slurm.batches
    assert any("somebody has resumed n1" in one for one in ended.remarks)


def test_somebody_reserves_it_midway(bench: Bench) -> None:
    bench.at["SMOKE begins"] = lambda: reserve(bench)
    ended = loop.forward(bench.run())
    assert ended.outcome == "former"
    assert "n1 is in reservation theirs" in ended.problem


def test_hindrances_are_told_beforehand(bench: Bench) -> None:
    bench.slurm.settings["disablerootjobs"] = "YES"
    reserve(bench)
    reserve(bench, "elsewhere", nodes=("n7",))
    reserve(bench, "much later", active=False, start=4e9)
    world, node = bench.world(smoke=True), client(bench).node(NODE)
    found = list(smoke.hindrances(world, node))
    assert len(found) == 2
    assert "DisableRootJobs" in found[0]
    assert "reservation theirs" in found[1]
    assert not list(smoke.hindrances(bench.world(smoke=False), node))


def test_a_reservation_that_is_not_in_force_yet_is_waited_for(bench: Bench) -> None:
    """It begins now by our clock, and slurmctld's is behind."""

    def behind() -> None:
        kept = bench.slurm.reservations[NAME]
        bench.slurm.reservations[NAME] = kept._replace(active=False)
        bench.at["reservations"] = lambda: None
        bench.after(1, lambda: bench.slurm.reservations.update({NAME: kept}))

    bench.at["SMOKE begins"] = lambda: bench.at.update(
        {"reservations": lambda: bench.at.update({"answered": behind})}
    )
    assert loop.forward(bench.run()).outcome == "done"
    assert len(bench.slurm.batches) == 4


def test_one_that_somebody_removes_is_not_in_force(bench: Bench) -> None:
    def remove() -> None:
        bench.slurm.reservations.clear()

    bench.at["SMOKE begins"] = lambda: bench.at.update(
        {"reserve": lambda: bench.at.update({"reservations": remove})}
    )
    ended = loop.forward(bench.run())
    assert ended.outcome == "former"
    assert f"reservation {NAME} of n1 is not in force" in ended.problem
    assert bench.is_right(FORMER_TYPES)


def test_test_jobs_that_do_not_end_keep_it_drained(bench: Bench) -> None:
    bench.slurm.epilogs_end = False
    ended = loop.forward(bench.run(smoke_s=5.0))
    assert ended.outcome == "drained"
    assert "do not end" in ended.problem
    assert f"reservation {NAME} stays" in ended.problem
    assert "DRAIN" in bench.node
    bench.slurm.epilogs_end = True
    for job in list(bench.slurm.jobs):
        bench.slurm.end(job)
    assert loop.recover(bench.again()).outcome == "former"
    assert bench.slurm.reservations == {}
    assert bench.is_right(FORMER_TYPES)


def test_where_no_slurmd_runs_test_jobs_are_left_for_later(bench: Bench) -> None:
    """Killed in SMOKE, and slurmd is gone: it is started before the jobs are waited for."""

    def die() -> None:
        raise Killed

    bench.at["said"] = die
    with pytest.raises(Killed):
        loop.forward(bench.run())
    bench.loaded = None
    bench.slurm.stop_slurmd(NODE)
    assert loop.recover(bench.again(), undo=True).outcome == "former"
    assert bench.slurm.reservations == {}
    assert bench.is_right(FORMER_TYPES)


def test_others_jobs_of_the_same_name_are_not_cancelled(bench: Bench) -> None:
    theirs = bench.slurm.submit("", NODE, name=f"{NAME}_0", user="eve")
    assert loop.forward(bench.run()).outcome == "done"
    assert bench.slurm.jobs[theirs.job_id].state == "RUNNING"


def test_ctrl_c_while_they_run(bench: Bench) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    bench.at["said"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        loop.forward(bench.run())
    assert bench.slurm.reservations == {}
    assert states(bench) == {"COMPLETED"}
    assert bench.is_right(FORMER_TYPES)


@pytest.mark.parametrize("call", ["SMOKE begins", "answered", "said", "trials end"])
def test_without_slurmctld_it_stays_reserved_or_drained(bench: Bench, call: str) -> None:
    """Nobody comes until somebody recovers it: then it is tested anew."""

    def vanish() -> None:
        bench.slurm.unanswered = 1000

    bench.at["SMOKE begins"] = lambda: bench.at.update({call: vanish})
    if call == "SMOKE begins":
        bench.at[call] = vanish
    ended = loop.forward(bench.run())
    assert ended.outcome == "drained"
    bench.slurm.unanswered = 0
    assert "DRAIN" in bench.node or bench.slurm.reservations
    assert loop.recover(bench.again()).outcome == "done"
    assert bench.slurm.reservations == {}
    assert bench.is_right(TARGET_TYPES)


@pytest.mark.parametrize(("release", "dynamic"), [("22.05.8", True), ("24.11.5", False)])
def test_whenever_slurmctld_is_gone_the_node_names_the_next_command(
    memory: Path, release: str, dynamic: bool
) -> None:
    """By its reason or, in service and reserved, where a resume has just taken that away (22.05),
    by the name of the reservation that keeps it."""
    for number in range(1, 500):
        one = Bench(memory / str(number), smoke=True, release=release, dynamic=dynamic)
        one.root.mkdir()
        calls = 0

        def vanish(bench: Bench = one, number: int = number) -> None:
            nonlocal calls
            if bench.events[-1].phase == "SMOKE":
                calls += 1
                bench.slurm.unanswered = 1000 if calls >= number else 0

        one.before = vanish
        ended = loop.forward(one.run())
        if calls < number:
            assert number > 15
            return
        assert ended.outcome == "drained"
        assert "slurm-mig recover" in ended.next_step
        one.before = lambda: None
        one.slurm.unanswered = 0
        kept = [name for name, kept in one.slurm.reservations.items() if NODE in kept.nodes]
        assert "DRAIN" in one.node or kept == [NAME]
        assert "slurm-mig recover" in one.reason or kept == [NAME]
        assert loop.recover(one.again()).outcome == "done"
        assert one.is_right(TARGET_TYPES)
    raise AssertionError("SMOKE makes calls without an end")


def test_while_test_jobs_run_the_node_says_what_they_are(memory: Path) -> None:
    """To whoever is killed then, and to who looks."""
    one, seen = Bench(memory, smoke=True, release="22.05.8", dynamic=True), list[str]()
    one.at["said"] = lambda: seen.append(one.reason)
    assert loop.forward(one.run()).outcome == "done"
    assert seen[0].endswith("if it stopped: slurm-mig recover")


def test_what_jobs_tell_while_they_end_is_forgotten_too(bench: Bench) -> None:
    assert loop.forward(bench.run()).outcome == "done"
    calls = bench.calls
    last = len(calls) - 1 - calls[::-1].index("trials end")
    assert "cancel" not in calls[last:]
    assert "cancel" in calls[:last]
