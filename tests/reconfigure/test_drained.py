"""Whose drain it is, for whom the loop waits, and who is given the node back."""

from pathlib import Path

import pytest

from slurm_mig.reconfigure import drained, loop
from slurm_mig.reconfigure import record as records
from slurm_mig.slurm.controller.client import NodeState
from tests.fakes_slurm import FakeSlurmClient
from tests.reconfigure.worlds import FORMER_TYPES, NODE, RUN, TARGET_TYPES, Bench


@pytest.fixture
def bench(memory: Path) -> Bench:
    return Bench(memory)


@pytest.fixture(params=[False, True], ids=["static", "dynamic"])
def either(request: pytest.FixtureRequest, memory: Path) -> Bench:
    return Bench(memory, dynamic=request.param)


def somebody(bench: Bench) -> FakeSlurmClient:
    return FakeSlurmClient(bench.slurm)


def test_the_reason_says_whose_it_is_and_what_to_do() -> None:
    said = drained.reason(RUN, "all-balanced")
    assert said.startswith("slurm-mig reconfigure [a1b2c3d4]")
    assert said.endswith("slurm-mig recover")


def test_a_long_reason_is_cut() -> None:
    assert len(drained.reason(RUN, "x" * 500)) == 160


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        ("slurm-mig reconfigure [a1b2c3d4] to mixed", True),
        ("slurm-mig recover [a1b2c3d4]: VERIFY failed", True),
        ("gres/gpu count reported lower than configured (2 < 3)", True),
        ("Not responding", True),
        ("", True),
        ("slurm-mig reconfigure [00000000] to mixed", True),  # slurmctld came back with it
        ("a fan is loud", False),
    ],
)
def test_whose_a_drain_is(bench: Bench, said: str, ours: bool) -> None:
    record = bench.record()._replace(drained=True)
    assert drained.is_ours(record, _node(bench, said)) is ours
    assert not drained.is_ours(record._replace(drained=False), _node(bench, said))


def _node(bench: Bench, reason: str) -> NodeState:
    return somebody(bench).node(NODE)._replace(reason=reason)


def test_what_somebody_had_drained_stays_drained(either: Bench) -> None:
    somebody(either).drain(NODE, "a disk is slow")
    ended = loop.forward(either.run())
    assert ended.outcome == "done"
    assert "DRAIN" in either.node
    assert either.live == TARGET_TYPES
    assert either.reason == "a disk is slow"  # though a deleted node loses it
    assert any("somebody else" in remark for remark in ended.remarks)


def test_its_reason_is_given_back(bench: Bench) -> None:
    """Whatever was said meanwhile: by us when it failed, or by slurmctld."""
    somebody(bench).drain(NODE, "a disk is slow")
    bench.broken["map"] = 9
    assert loop.forward(bench.run()).outcome == "drained"
    assert bench.reason.startswith("slurm-mig recover")
    bench.broken.clear()
    assert loop.recover(bench.again()).outcome == "former"
    assert bench.reason == "a disk is slow"
    assert "DRAIN" in bench.node


def test_what_somebody_drains_midway_stays_drained(bench: Bench) -> None:
    bench.at["START begins"] = lambda: somebody(bench).drain(NODE, "a fan is loud")
    ended = loop.forward(bench.run())
    assert ended.outcome == "done"
    assert bench.reason == "a fan is loud"
    assert "DRAIN" in bench.node


def test_a_bad_registration_is_nobodys_drain(bench: Bench) -> None:
    """24.11 overwrites our reason with its own: the drain is still ours."""

    def overwrite() -> None:
        bench.slurm.nodes[NODE].reason = "gres/gpu count reported lower than configured (2 < 3)"

    bench.at["RESUME begins"] = overwrite
    assert loop.forward(bench.run()).outcome == "done"
    assert bench.is_right(TARGET_TYPES)


def test_a_drain_of_an_earlier_run(bench: Bench) -> None:
    """slurmctld was killed, and came back with what it had saved before the last resume."""
    somebody(bench).drain(NODE, "slurm-mig reconfigure [00000000] to seven")
    assert loop.forward(bench.run()).outcome == "done"
    assert bench.is_right(TARGET_TYPES)


@pytest.mark.parametrize("call", ["WAIT begins", "STOP begins", "PARTITION begins"])
def test_resumed_by_hand_before_anything_changed(bench: Bench, call: str) -> None:
    bench.at[call] = lambda: somebody(bench).resume(NODE)
    ended = loop.forward(bench.run())
    assert (ended.outcome, "somebody has resumed n1" in ended.problem) == ("former", True)
    assert bench.is_right(FORMER_TYPES)


def test_resumed_by_hand_when_the_slices_have_changed(bench: Bench) -> None:
    """A job may have been given what is no longer there: it gets what it was given."""

    def resume() -> None:
        somebody(bench).resume(NODE)
        bench.slurm.nodes[NODE].flags.discard("NOT_RESPONDING")  # slurmctld has not noticed
        assert bench.slurm.submit("gpu:1g.10gb:1", NODE).state == "RUNNING"

    bench.at["PUBLISH begins"] = resume
    ended = loop.forward(bench.run())
    assert ended.outcome == "former"
    assert bench.is_right(FORMER_TYPES)
    assert [job.state for job in bench.slurm.jobs.values()] == ["RUNNING"]


def test_it_waits_for_jobs_with_gres_only(bench: Bench) -> None:
    free = bench.slurm.submit("", NODE)
    held = bench.slurm.submit("gpu:1g.10gb:2", NODE)
    bench.after(100, lambda: bench.slurm.end(held.job_id))
    ended = loop.forward(bench.run())
    assert ended.outcome == "done"
    assert bench.now >= 1_800_000_100
    assert bench.slurm.jobs[free.job_id].state == "RUNNING"
    told = [event.text for event in bench.events if event.phase == "WAIT" and event.text]
    assert f"waiting for job {held.shown} of root (wrap), without a limit" in told


def test_a_dynamic_node_has_to_be_empty(memory: Path) -> None:
    bench = Bench(memory, dynamic=True)
    free = bench.slurm.submit("", NODE)
    bench.after(50, lambda: bench.slurm.end(free.job_id))
    assert loop.forward(bench.run()).outcome == "done"
    assert bench.now >= 1_800_000_050


def test_time_is_up(bench: Bench) -> None:
    job = bench.slurm.submit("gpu:1g.10gb:1", NODE)
    ended = loop.forward(bench.run(timeout_s=30))
    assert ended.outcome == "former"
    assert ended.problem.startswith("after 30 s waiting for job 1 of root")
    assert bench.slurm.jobs[job.job_id].state == "RUNNING"
    node = bench.slurm.nodes[NODE]
    assert "DRAIN" not in node.flags
    assert records.read(bench.root) is None


def test_jobs_are_cancelled_when_their_time_is_up(bench: Bench) -> None:
    job = bench.slurm.submit("gpu:1g.10gb:1", NODE)
    ended = loop.forward(bench.run(cancel_after_s=30))
    assert ended.outcome == "done"
    assert bench.slurm.jobs[job.job_id].state == "COMPLETED"
    assert any("was cancelled after 30 s" in remark for remark in ended.remarks)


def test_a_job_that_starts_before_the_drain_is_waited_for(bench: Bench) -> None:
    def start() -> None:
        job = bench.slurm.submit("gpu:1g.10gb:1", NODE)
        bench.after(10, lambda: bench.slurm.end(job.job_id))

    bench.at["drain"] = start
    assert loop.forward(bench.run()).outcome == "done"
    assert bench.now >= 1_800_000_010


def test_a_job_of_which_nobody_can_tell_what_it_holds(bench: Bench) -> None:
    job = bench.slurm.submit("gpu:1g.10gb:1", NODE)
    bench.slurm.jobs[job.job_id] = bench.slurm.jobs[job.job_id]._replace(held=None)
    assert loop.forward(bench.run(timeout_s=5)).outcome == "former"


def test_a_reboot_that_was_issued_is_taken_over(memory: Path) -> None:
    bench = Bench(memory, reboot=True)
    run = bench.run()
    drained.drain(run)
    assert bench.node == {"IDLE", "DRAIN"}
    assert (bench.reason, run.record.drained) == (run.record.reason, True)
    drained.drain(run)
    assert bench.calls.count("resume") == 1


def test_a_reboot_that_cannot_be_taken_over_ends_it(memory: Path) -> None:
    """The node stays as Slurm has it, which is out of service."""
    bench = Bench(memory, reboot=True)
    bench.slurm.nodes[NODE].flags.add("INVALID_REG")
    ended = loop.forward(bench.run())
    assert ended.outcome == "drained"
    assert "DRAIN" in bench.node
    assert bench.live == FORMER_TYPES


@pytest.mark.parametrize("keep", [False, True])
def test_a_node_that_went_back_may_have_to_say_so(bench: Bench, keep: bool) -> None:
    bench.broken["change"] = 1
    ended = loop.forward(bench.run(keep_what_failed=keep))
    assert ended.outcome == "former"
    if keep:
        assert bench.node == {"IDLE", "DRAIN"}
        assert bench.reason == f"{drained.begins(RUN)} not done, as before: change is broken"
        assert records.read(bench.root) is None
    else:
        assert bench.is_right(FORMER_TYPES)


def test_whoever_drained_it_midway_keeps_his_reason(bench: Bench) -> None:
    bench.broken["publish"] = 1
    bench.at["publish"] = lambda: somebody(bench).drain(NODE, "a fan is loud")
    assert loop.forward(bench.run(keep_what_failed=True)).outcome == "former"
    assert bench.reason == "a fan is loud"


def test_what_was_not_done_fits_a_reason() -> None:
    said = drained.not_done(RUN, "x\n" * 300)
    assert len(said) == 160
    assert said.startswith("slurm-mig reconfigure [a1b2c3d4] not done, as before: x x")


@pytest.mark.parametrize("call", ["jobs_on", "STOP begins", "PARTITION begins", "PUBLISH begins"])
def test_a_drain_of_somebody_s_outlives_the_node_s_deletion(either: Bench, call: str) -> None:
    """A dynamic node comes back with our drain: theirs was written down before it went."""
    either.at[call] = lambda: somebody(either).drain(NODE, "a fan is loud")
    ended = loop.forward(either.run())
    assert ended.outcome == "done"
    assert "DRAIN" in either.node
    assert either.reason == "a fan is loud"
    assert any("somebody else (a fan is loud)" in remark for remark in ended.remarks)


def test_a_drain_for_a_bad_registration_is_nobody_s_before_it_too(either: Bench) -> None:
    """slurmctld believes in other slices than there are: that is what is made right."""
    node = either.slurm.nodes[NODE]
    node.flags |= {"DRAIN", "INVALID_REG"}
    node.reason = "gres/gpu count reported lower than configured (4 < 7)"
    assert loop.forward(either.run()).outcome == "done"
    assert either.is_right(TARGET_TYPES)
