"""One node: as wanted, or as before, or drained with a reason that is true. Nothing else, ever."""

from pathlib import Path
from typing import Any

import pytest

from slurm_mig.errors import SlurmMigError
from slurm_mig.reconfigure import loop
from slurm_mig.reconfigure import record as records
from slurm_mig.reconfigure.run import Run
from slurm_mig.reconfigure.world import Elsewhere
from tests.fakes_slurm import FakeSlurmClient
from tests.reconfigure.worlds import FORMER_TYPES, NODE, RUN, TARGET_TYPES, Bench, Killed

KINDS: dict[str, dict[str, Any]] = {
    "24.11, static": {"release": "24.11.5", "dynamic": False},
    "24.11, dynamic": {"release": "24.11.5", "dynamic": True},
    "22.05, dynamic": {"release": "22.05.8", "dynamic": True},
    "24.11, by reboot": {"release": "24.11.5", "reboot": True},
    "22.05, dynamic, by reboot": {"release": "22.05.8", "dynamic": True, "reboot": True},
    "24.11, static, smoke": {"release": "24.11.5", "dynamic": False, "smoke": True},
    "22.05, dynamic, smoke": {"release": "22.05.8", "dynamic": True, "smoke": True},
}
# A call that each phase makes, by which it can fail.
FAILS = {
    "DRAIN": "drain",
    "WAIT": "jobs_on",
    "STOP": "stop",
    "PARTITION": "change",
    "PUBLISH": "publish",
    "START": "start slurmd",
    "VERIFY": "map",
    "RESUME": "resume",
}


@pytest.fixture(params=KINDS)
def bench(request: pytest.FixtureRequest, memory: Path) -> Bench:
    return Bench(memory, **KINDS[request.param])


@pytest.fixture
def static(memory: Path) -> Bench:
    return Bench(memory)


def client(bench: Bench) -> FakeSlurmClient:
    """Somebody else at the same cluster."""
    return FakeSlurmClient(bench.slurm)


def test_to_the_target(bench: Bench) -> None:
    ended = loop.forward(bench.run())
    assert (ended.outcome, ended.problem) == ("done", "")
    assert bench.is_right(TARGET_TYPES)
    done = [phase for phase in loop.PHASES if phase != "SMOKE" or bench.smoke]
    assert [one.phase for one in ended.took] == done


def test_the_last_one_is_kept(static: Bench) -> None:
    loop.forward(static.run())
    last = records.read(static.root, records.LAST)
    assert last is not None
    assert last.run_id == RUN


@pytest.mark.parametrize("phase", FAILS)
def test_a_phase_that_fails_leads_back(bench: Bench, phase: str) -> None:
    bench.broken[FAILS[phase]] = 1
    ended = loop.forward(bench.run())
    assert ended.outcome == "former"
    assert "is broken" in ended.problem
    assert bench.is_right(FORMER_TYPES)


@pytest.mark.parametrize("phase", ["PARTITION", "PUBLISH", "START", "VERIFY"])
def test_what_fails_twice_stays_drained(bench: Bench, phase: str) -> None:
    bench.broken[FAILS[phase]] = 9
    ended = loop.forward(bench.run())
    assert ended.outcome == "drained"
    assert "slurm-mig recover" in ended.next_step
    if NODE in bench.slurm.nodes:
        assert "DRAIN" in bench.node
        assert bench.reason.startswith("slurm-mig recover")
        assert len(bench.reason) <= 160
    bench.broken.clear()
    assert loop.recover(bench.again()).outcome == "former"
    assert bench.is_right(FORMER_TYPES)


def test_what_only_others_can_publish_waits_for_them(static: Bench) -> None:
    """Neither there nor back: whoever began it goes on, or undoes it."""

    def elsewhere() -> None:
        raise Elsewhere("slurm.conf is not here")

    static.at["publish"] = elsewhere
    ended = loop.forward(static.run())
    assert (ended.outcome, ended.problem) == ("drained", "slurm.conf is not here")
    kept = records.read(static.root)
    assert kept is not None
    assert (kept.goal, kept.phase) == ("target", "PUBLISH")
    assert "DRAIN" in static.node
    assert loop.recover(static.again()).outcome == "done"
    assert static.is_right(TARGET_TYPES)


def test_an_apply_that_went_back_leads_back(static: Bench) -> None:
    static.broken["apply"] = 1
    assert loop.forward(static.run()).outcome == "former"
    assert static.is_right(FORMER_TYPES)


def test_killed_at_every_call_and_recovered(bench: Bench) -> None:
    count = _killed_everywhere(bench, undo=False)
    assert count > 30


def test_killed_at_every_call_and_undone(bench: Bench) -> None:
    _killed_everywhere(bench, undo=True)


def _killed_everywhere(bench: Bench, *, undo: bool) -> int:
    kind: dict[str, Any] = {"release": str(bench.slurm.release), "dynamic": bench.dynamic}
    kind["reboot"] = bench.reboot
    kind["smoke"] = bench.smoke
    number = 0
    while True:
        number += 1
        one = Bench(bench.root / str(number), **kind)
        one.root.mkdir()
        one.kill_at = number
        try:
            loop.forward(one.run())
            return number
        except Killed as when:
            one.kill_at = None
            if records.read(one.root) is None:  # it was over
                assert one.is_right(TARGET_TYPES)
                continue
            ended = loop.recover(one.again(), undo=undo)
            wanted = FORMER_TYPES if undo else TARGET_TYPES
            assert ended.outcome == ("former" if undo else "done"), (when, ended)
            assert one.is_right(wanted), when
            assert not one.slurm.reservations
            assert not [job for job in one.slurm.jobs.values() if job.state != "COMPLETED"]


def test_killed_on_the_way_back_too(static: Bench) -> None:
    for number in range(1, 200):
        one = Bench(static.root / str(number))
        one.root.mkdir()
        one.broken["map"] = 1
        one.kill_at = number
        try:
            loop.forward(one.run())
            assert number > 60
            return
        except Killed as when:
            one.kill_at, one.broken = None, {}
            if records.read(one.root) is not None:
                loop.recover(one.again())
            assert one.is_right(TARGET_TYPES) or one.is_right(FORMER_TYPES), when


@pytest.mark.parametrize("phase", ["DRAIN", "WAIT", "PARTITION", "VERIFY", "RESUME"])
def test_without_slurmctld_it_stays_where_it_is(static: Bench, phase: str) -> None:
    """Nothing can be known, so nothing more is done; the reason in place names the next step."""
    static.at[f"{phase} begins"] = lambda: setattr(static.slurm, "unanswered", 1000)
    ended = loop.forward(static.run())
    assert ended.outcome == "drained"
    assert "Unable to contact" in ended.problem
    static.slurm.unanswered = 0
    assert static.loaded is not None, "jobs without GPUs go on only where a slurmd answers"
    assert loop.recover(static.again()).outcome == "done"
    assert static.is_right(TARGET_TYPES)


def test_an_answer_that_is_lost(static: Bench) -> None:
    static.slurm.lose_answers = 1
    assert loop.forward(static.run()).outcome == "drained"
    assert loop.recover(static.again()).outcome == "done"
    assert static.is_right(TARGET_TYPES)


def test_another_one_goes_on_with_it(static: Bench) -> None:
    run = static.run()
    static.at["stop"] = lambda: static.again()
    ended = loop.forward(run)
    assert ended.outcome == "drained"
    assert "another one" in ended.problem


def test_ctrl_c_gives_the_node_back(static: Bench) -> None:
    static.slurm.submit("gpu:1g.10gb:1", NODE)

    def interrupt() -> None:
        raise KeyboardInterrupt

    static.after(5, interrupt)
    with pytest.raises(KeyboardInterrupt):
        loop.forward(static.run())
    assert static.is_right(FORMER_TYPES)


def test_nothing_is_resumed_that_is_not_verified(static: Bench) -> None:
    """slurmctld does not take what slurmd registers: after a while it goes back."""
    static.at["files written"] = lambda: setattr(static.slurm, "reread", lambda: None)
    ended = loop.forward(static.run())
    assert ended.outcome == "former"
    assert "slurmctld refuses what n1 has: gres/gpu count" in ended.problem
    assert static.is_right(FORMER_TYPES)


def slurmd_ends(bench: Bench) -> None:
    bench.loaded = None
    bench.slurm.stop_slurmd(NODE)


def test_slurmd_that_ends_is_started_once_more(static: Bench) -> None:
    static.at["VERIFY begins"] = lambda: slurmd_ends(static)
    ended = loop.forward(static.run())
    assert ended.outcome == "done"
    assert "slurmd has ended (fatal: no more): it was started once more" in ended.remarks
    assert static.calls.count("start slurmd") == 2
    assert static.is_right(TARGET_TYPES)


def test_slurmd_that_ends_again(static: Bench) -> None:
    def end_twice() -> None:
        slurmd_ends(static)
        static.at["started"] = lambda: slurmd_ends(static)

    static.at["VERIFY begins"] = end_twice
    ended = loop.forward(static.run())
    assert ended.outcome == "former"
    assert "slurmd has ended" in ended.problem
    assert static.is_right(FORMER_TYPES)


def phases_told(run: Run) -> list[str]:
    return [one.phase for one in run.took]


def test_an_undo_before_anything_changed_only_gives_back(static: Bench) -> None:
    def die() -> None:
        raise Killed

    static.at["jobs_on"] = die
    with pytest.raises(Killed):
        loop.forward(static.run())
    run = static.again()
    assert run.record.phase == "WAIT"
    assert loop.recover(run, undo=True).outcome == "former"
    assert phases_told(run) == ["START", "VERIFY", "RESUME", "COMMIT"]
    assert static.is_right(FORMER_TYPES)


def test_a_record_that_cannot_be_written_stops_it(static: Bench) -> None:
    run = static.run()
    static.at["stop"] = lambda: (static.root / "var/lib/slurm-mig/reconfigure.json").unlink()
    ended = loop.forward(run)
    assert ended.outcome == "drained"
    assert "DRAIN" in static.node


def test_errors_of_ours_only_are_handled(static: Bench) -> None:
    """A bug is a bug: it goes up, and the record stays."""

    def bug() -> None:
        raise ZeroDivisionError

    static.at["publish"] = bug
    with pytest.raises(ZeroDivisionError):
        loop.forward(static.run())
    assert records.read(static.root) is not None
    assert "DRAIN" in static.node


def test_a_problem_of_many_lines_is_written_down_as_one(static: Bench) -> None:
    def refuse() -> None:
        raise SlurmMigError("one\n  two\n\tthree\x1b[0m")

    static.at["publish"] = refuse
    assert loop.forward(static.run()).outcome == "former"


def test_a_registration_that_slurmctld_has_forgotten_is_made_again(static: Bench) -> None:
    """It comes back with what it had saved while the node was registered badly."""

    def forget() -> None:
        static.slurm.nodes[NODE].flags.add("INVALID_REG")

    static.at["VERIFY begins"] = forget
    ended = loop.forward(static.run())
    assert ended.outcome == "done"
    assert any("slurmctld was told once more" in remark for remark in ended.remarks)
    assert static.calls.count("start slurmd") == 2
    assert static.is_right(TARGET_TYPES)


def test_a_deletion_that_slurmctld_has_forgotten_is_made_again(memory: Path) -> None:
    """It comes back with the node as it was, and refuses what slurmd registers now."""
    bench = Bench(memory, dynamic=True)

    def forget() -> None:
        node = bench.slurm.nodes[NODE]
        node.gres = "gpu:1g.10gb:7"
        node.flags |= {"INVALID_REG", "DRAIN"}

    bench.at["VERIFY begins"] = forget
    ended = loop.forward(bench.run())
    assert ended.outcome == "done"
    assert bench.is_right(TARGET_TYPES)
