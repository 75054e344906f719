"""Nodes by Slurm's reboots: each right, or drained with a true reason; the command may die."""

from collections.abc import Callable
from pathlib import Path

import pytest

from slurm_mig.errors import Refused
from slurm_mig.reconfigure.fleet.engine import Look
from slurm_mig.reconfigure.fleet.record import RunRecord
from tests.reconfigure.fleet.rebootings import Rebooting
from tests.reconfigure.worlds import Killed

Made = Callable[..., Rebooting]


@pytest.fixture
def made(memory: Path) -> Made:
    """New nodes, in a folder of their own."""
    count = 0

    def make(nodes: int = 4, at_once: int = 2, may_fail: int = 1, **more: str) -> Rebooting:
        nonlocal count
        count += 1
        root = memory / f"fleet{count}"
        root.mkdir()
        return Rebooting(root, nodes, at_once, may_fail, **more)

    return make


def outcomes(record: RunRecord) -> list[str]:
    return [one.outcome or one.stage for one in record.nodes]


def test_one_order_a_wave(made: Made) -> None:
    fleet = made(16, 4)
    record = fleet.run()
    assert set(outcomes(record)) == {"done"}
    assert all(fleet.is_right(name) for name in fleet.members)
    assert fleet.slurm.commands.count("reboot") == 4
    assert [one.wave for one in record.nodes] == [wave for wave in (1, 2, 3, 4) for _ in "four"]
    assert fleet.wanted() == []
    assert record.ended
    assert not record.problem


def test_a_wave_waits_for_its_jobs(made: Made) -> None:
    fleet = made(2, 1)
    job = fleet.slurm.submit("gpu:1g.10gb:1", "n01")
    fleet.after(100, lambda: fleet.slurm.end(job.job_id))
    record = fleet.run()
    assert outcomes(record) == ["done", "done"]
    assert ("n01", "WAIT") in [(one.node, one.phase) for one in fleet.events]


def test_what_is_as_wanted_already(made: Made) -> None:
    fleet = made()
    fleet.run()
    fleet.record = fleet.record._replace(run_id="ffffffff")
    record = fleet.run()
    assert set(outcomes(record)) == {"nothing"}
    assert all(fleet.is_right(name) for name in fleet.members)


def test_one_that_goes_back_stays_drained_and_says_why(made: Made) -> None:
    fleet = made()
    fleet.members["n01"].broken["change"] = 1
    record = fleet.run()
    assert outcomes(record) == ["drained", "done", "waiting", "waiting"]
    assert "not done, as before: change is broken" in record.node("n01").problem
    assert fleet.slurm.nodes["n01"].reason == record.node("n01").problem
    assert fleet.is_former("n01")
    assert "1 failed, of which there may be 1" in record.problem


def test_one_that_cannot_go_back_says_what_to_do(made: Made) -> None:
    fleet = made(2, 2)
    fleet.members["n02"].broken["start slurmd"] = 99
    record = fleet.run()
    assert outcomes(record) == ["done", "drained"]
    assert record.node("n02").problem.startswith("slurm-mig recover [0a1b2c3d]")


def test_what_is_to_be_recovered_is_not_ordered_before_it_is(made: Made) -> None:
    """Its slices may be other than slurmctld believes: a reboot would give it back as it is."""
    fleet = made(2, 2)
    broken = fleet.members["n02"].broken
    broken["start slurmd"] = 99
    fleet.run()
    orders = fleet.slurm.commands.count("reboot")
    assert outcomes(fleet.resume()) == ["done", "drained"]
    assert fleet.slurm.commands.count("reboot") == orders
    broken.clear()
    fleet.recover("n02")
    assert outcomes(fleet.resume()) == ["done", "done"]


def test_what_failed_is_tried_again(made: Made) -> None:
    fleet = made(2, 2)
    fleet.members["n01"].broken["change"] = 1
    fleet.run()
    record = fleet.resume()
    assert outcomes(record) == ["done", "done"]
    assert fleet.carried.count(("n02", "done")) == 1  # which was not ordered again
    assert fleet.wanted() == []


def test_a_node_that_never_comes_back(made: Made) -> None:
    fleet = made(2, 2)
    fleet.silent.add("n01")
    record = fleet.run()
    assert outcomes(record) == ["lost", "done"]
    assert "not back 60" in record.node("n01").problem
    assert "REBOOT_ISSUED" in record.node("n01").problem
    assert "recover" in record.node("n01").next_step


def test_slurm_gives_up_on_a_node(made: Made) -> None:
    def timed_out() -> None:
        node = fleet.slurm.nodes["n01"]
        node.flags.discard("REBOOT_ISSUED")
        node.reason = "reboot timed out"

    fleet = made(2, 2)
    fleet.silent.add("n01")
    fleet.after(100, timed_out)
    record = fleet.run()
    assert outcomes(record) == ["lost", "done"]
    assert "it is DOWN (reboot timed out)" in record.node("n01").problem


def test_jobs_that_do_not_end_in_time(made: Made) -> None:
    fleet = made(2, 2)
    fleet.slurm.submit("gpu:1g.10gb:1", "n01")
    options = fleet.record.options._replace(timeout_s=60.0)
    fleet.record = fleet.record._replace(options=options)
    record = fleet.run()
    assert outcomes(record) == ["refused", "done"]
    assert "waiting for job 1 of root" in record.node("n01").problem
    assert fleet.is_former("n01")
    assert not fleet.slurm.nodes["n01"].flags
    assert [job.state for job in fleet.slurm.jobs.values()] == ["RUNNING"]


def test_jobs_that_are_cancelled_in_time(made: Made) -> None:
    fleet = made(2, 2)
    fleet.slurm.submit("gpu:1g.10gb:1", "n01")
    options = fleet.record.options._replace(cancel_after_s=60.0)
    fleet.record = fleet.record._replace(options=options)
    assert outcomes(fleet.run()) == ["done", "done"]
    assert [job.state for job in fleet.slurm.jobs.values()] == ["COMPLETED"]


def test_what_somebody_had_drained_stays_drained(made: Made) -> None:
    fleet = made(2, 2)
    fleet.client.drain("n01", "a fan is loud")
    record = fleet.run()
    assert outcomes(record) == ["done", "done"]
    node = fleet.slurm.nodes["n01"]
    assert (node.reason, node.flags) == ("a fan is loud", {"DRAIN"})
    assert fleet.members["n01"].live == fleet.members["n02"].live


def test_what_somebody_had_drained_and_is_not_waited_for(made: Made) -> None:
    fleet = made(1, 1)
    fleet.slurm.submit("gpu:1g.10gb:1", "n01")
    fleet.client.drain("n01", "a fan is loud")
    options = fleet.record.options._replace(timeout_s=60.0)
    fleet.record = fleet.record._replace(options=options)
    assert outcomes(fleet.run()) == ["refused"]
    assert fleet.slurm.nodes["n01"].reason == "a fan is loud"
    assert fleet.slurm.nodes["n01"].flags == {"DRAIN"}


@pytest.mark.parametrize(
    ("flags", "why"), [({"REBOOT_ISSUED"}, "somebody else reboots it"), (set(), "it is DOWN")]
)
def test_a_node_that_cannot_be_ordered(made: Made, flags: set[str], why: str) -> None:
    fleet = made(2, 2, 2)
    node = fleet.slurm.nodes["n01"]
    node.flags, node.down, node.reason = flags, True, "a new kernel"
    record = fleet.run()
    assert outcomes(record) == ["refused", "done"]
    assert why in record.node("n01").problem


def test_without_a_program_nothing_is_ordered(made: Made) -> None:
    fleet = made()
    del fleet.slurm.settings["rebootprogram"]
    record = fleet.run()
    assert outcomes(record) == ["refused", "refused", "waiting", "waiting"]
    assert "no RebootProgram" in record.problem
    assert fleet.wanted() == []
    with pytest.raises(Refused, match="no RebootProgram"):
        fleet.engine().look(fleet.record, ["n01"])


def test_a_folder_that_cannot_be_written_to(made: Made) -> None:
    fleet = made()
    (fleet.root / "desired/nodes").mkdir(parents=True)
    (fleet.root / "desired").chmod(0o777)
    record = fleet.run()
    assert outcomes(record)[2:] == ["waiting", "waiting"]
    assert "not root's alone" in record.problem
    assert "reboot" not in fleet.slurm.commands


@pytest.mark.parametrize("release", ["24.11.5", "26.05.5"])
def test_back_to_what_each_had(made: Made, release: str) -> None:
    fleet = made(release=release)
    fleet.slurm.actions.add("mixed")
    fleet.run()
    fleet.turn_back()
    said: list[str] = []
    fleet.slurm.reboot_program = _listening(fleet, said)
    assert set(outcomes(fleet.run())) == {"done"}
    assert all(fleet.is_right(name) for name in fleet.members)
    assert all("[ffffffff] to what was before" in reason for reason in said)
    assert len(said) == 4
    assert fleet.wanted() == []


def _listening(fleet: Rebooting, said: list[str]) -> Callable[[str], object]:
    act = fleet.slurm.reboot_program

    def issued(name: str) -> None:
        said.append(fleet.slurm.nodes[name].reason)
        act(name)

    return issued


def test_back_where_a_node_has_nothing_kept(made: Made) -> None:
    fleet = made(2, 2)
    fleet.turn_back()
    record = fleet.run()
    assert outcomes(record) == ["drained", "drained"]
    assert "no reconfigure of this node is known" in record.node("n01").problem
    assert all(fleet.is_former(name) for name in fleet.members)


def test_back_waits_for_whoever_is_at_it(made: Made) -> None:
    """Its slurmd may be stopped: a reboot would be lost, and taken for done."""
    fleet = made(2, 2)
    fleet.run()
    node = fleet.slurm.nodes["n01"]
    node.flags, node.reason = {"DRAIN"}, "slurm-mig reconfigure [11111111] to x; if it stopped"
    fleet.turn_back()
    record = fleet.run()
    assert outcomes(record) == ["refused", "done"]
    assert "reconfigure 11111111 is at it" in record.node("n01").problem
    assert "`slurm-mig recover` on n01" in record.node("n01").problem
    node.flags = set()
    assert outcomes(fleet.resume()) == ["done", "done"]
    assert all(fleet.is_right(name) for name in fleet.members)


def test_back_killed_at_every_fourth_step_and_resumed(made: Made) -> None:
    """Each goes back once: a second time would be forth again."""
    number = 0
    while True:
        number += 4
        fleet = made(4, 2)
        fleet.run()
        fleet.turn_back()
        fleet.carried.clear()
        fleet.steps, fleet.kill_at = 0, number
        try:
            fleet.run()
            break
        except Killed:
            fleet.pass_time(30.0)
            assert set(outcomes(fleet.resume())) <= {"done", "nothing"}, number
        assert all(fleet.is_right(name) for name in fleet.members), number
        assert [one for _, one in fleet.carried].count("done") == 4, (number, fleet.carried)
    assert number > 20


def test_while_test_jobs_run_it_is_not_done(made: Made) -> None:
    """It is in service then, for them alone; what comes of them is waited for."""
    fleet = made(2, 1)
    options = fleet.record.options._replace(smoke=True)
    fleet.record = fleet.record._replace(options=options)
    seen: list[str] = []
    for member in fleet.members.values():
        member.at["SMOKE begins"] = lambda: seen.append("smoke")
    assert outcomes(fleet.run()) == ["done", "done"]
    assert seen == ["smoke", "smoke"]


def test_a_reservation_of_ours_says_that_it_is_tested(made: Made) -> None:
    """The worker tests for 100 s: until then nothing is known of how it ends."""
    fleet = made(1, 1)

    def test(name: str) -> None:
        node = fleet.slurm.nodes[name]
        fleet.client.resume(name)
        fleet.client.reserve("slurm-mig_0a1b2c3d", name)
        node.slurmd_start = fleet.now + 10
        fleet.after(100, lambda: fail(name))

    def fail(name: str) -> None:
        fleet.client.drain(name, "slurm-mig reconfigure [0a1b2c3d] not done, as before: test jobs")
        fleet.client.release("slurm-mig_0a1b2c3d")

    fleet.slurm.reboot_program = lambda name: fleet.after(5, lambda: test(name))
    record = fleet.run()
    assert outcomes(record) == ["drained"]
    assert "test jobs" in record.node("n01").problem
    assert "SMOKE" in [one.phase for one in fleet.events]


def test_what_was_to_be_recovered_from_another_run(made: Made) -> None:
    """Of one that was cut short there, and could not be ended."""
    fleet = made(1, 1)

    def stay(name: str) -> None:
        fleet.client.resume(name)
        fleet.client.drain(name, "slurm-mig recover [11111111]: START failed: no")

    fleet.slurm.reboot_program = lambda name: fleet.after(5, lambda: stay(name))
    record = fleet.run()
    assert outcomes(record) == ["drained"]
    assert "slurm-mig recover [11111111]" in record.node("n01").problem


H100 = "nvidia_h100_80gb_hbm3"
IS_MIXED = f"gpu:{H100}_3g.40gb:1,gpu:{H100}_2g.20gb:1,gpu:{H100}_1g.10gb:2"


def test_what_would_be_done(made: Made) -> None:
    fleet = made(4, 2, release="26.05.5")
    nodes = fleet.slurm.nodes
    nodes["n01"].gres = f"gpu:{H100}_1g.10gb:7"
    fleet.slurm.submit("", "n01")
    nodes["n02"].down = True
    nodes["n03"].gres = IS_MIXED
    one, two, three, four = fleet.engine().look(fleet.record, sorted(nodes))
    assert [job["shown"] for job in one.told["jobs"]] == ["1"]
    assert one.told["jobs"][0]["text"].startswith("job 1 of root")
    assert one.told["does"] == [
        "NVIDIA H100 80GB HBM3, 1 or more: 7x1g.10gb -> 3g.40gb + 2g.20gb + 2x1g.10gb"
    ]
    assert (one.told["changes"], one.told["gpu_count"], one.told["exact"]) == (True, 1, False)
    assert (one.told["way"], one.told["has_types"]) == ("reboot", {f"{H100}_1g.10gb": 7})
    assert "whether MIG has to be switched on" in one.told["unknown"][0]
    assert two == Look("n02", {}, two.problem)
    assert two.problem.startswith("it is DOWN")
    assert three.told["changes"] is False
    assert "as wanted, by Slurm's word: it is emptied all the same" in three.told["does"][0]
    assert three.told["types"] == three.told["has_types"]
    assert (four.told["changes"], four.told["types"]) == (True, None)
    assert four.told["does"] == ["now it has 1g.10gb:7"]
    assert four.told["unknown"][0].startswith("what it would have: by its types it may have NVIDIA")
    assert "reboot" not in fleet.slurm.commands


def test_what_cannot_be_had_is_told_before(made: Made) -> None:
    fleet = made(1, 1)
    fleet.slurm.nodes["n01"].gres = "gpu:nvidia_a100-sxm4-40gb:2"
    text = fleet.record.text.replace("3g.40gb: 1, 2g.20gb: 1, 1g.10gb: 2", "3g.20gb: 3")
    (one,) = fleet.engine().look(fleet.record._replace(text=text), ["n01"])
    assert "NVIDIA A100-SXM4-40GB: 3 3g.20gb wanted, of which this GPU holds 2" in one.problem
    assert one.told == {}


def test_what_a_rollback_would_do_only_the_node_knows(made: Made) -> None:
    fleet = made(1, 1)
    fleet.turn_back()
    (one,) = fleet.engine().look(fleet.record, ["n01"])
    assert one.told["does"] == ["now it has 1g.10gb:7"]
    assert one.told["types"] is None
    assert one.told["unknown"][0] == "what it would have: what it had before is kept on the node"


def test_slurmctld_is_away_for_a_while(made: Made) -> None:
    fleet = made()
    fleet.after(1, lambda: setattr(fleet, "deaf", 5))
    assert set(outcomes(fleet.run())) == {"done"}
    assert fleet.deaf == 0


def test_an_order_that_never_came_is_not_nothing_to_do(made: Made) -> None:
    """Nor is it known at once, with a slurmctld that is away."""
    fleet = made()
    fleet.lost_orders = 1
    record = fleet.run()
    assert outcomes(record) == ["refused", "refused", "waiting", "waiting"]
    assert "Unable to contact" in record.problem
    assert all(fleet.is_former(name) for name in fleet.members)
    assert set(outcomes(fleet.resume())) == {"done"}


def test_an_action_of_26_05_is_named_where_there_is_one(made: Made) -> None:
    fleet = made(2, 2, release="26.05.5")
    fleet.slurm.actions.add("mixed")
    assert outcomes(fleet.run()) == ["done", "done"]
    assert fleet.slurm.commands.count("reboot") == 1


@pytest.mark.parametrize("dead_s", [0.0, 30.0, 3000.0])
def test_killed_at_every_step_and_resumed(made: Made, dead_s: float) -> None:
    """While the command is dead, the nodes that were ordered come to their ends."""
    number = 0
    while True:
        number += 1
        fleet = made(4, 2)
        fleet.kill_at = number
        try:
            record = fleet.run()
            break
        except Killed:
            fleet.pass_time(dead_s)
            record = fleet.resume()
            assert set(outcomes(record)) == {"done"}, number
            assert all(fleet.is_right(name) for name in fleet.members)
            assert not set(fleet.wanted()) - {"0a1b2c3d.json"}  # no order
            assert len(fleet.carried) == 4, (number, fleet.carried)
    assert number > 20
