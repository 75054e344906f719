"""One node of many, by order: it goes on where it is, and never on what is another's."""

from pathlib import Path

import pytest

from slurm_mig.errors import JournalError, Refused
from slurm_mig.gpu.change.nodelock import only_one
from slurm_mig.gpu.change.prepare import Request
from slurm_mig.reconfigure import entry, loop
from slurm_mig.reconfigure import record as records
from slurm_mig.reconfigure.fleet import looked, member
from slurm_mig.reconfigure.fleet.holding import PUBLISHED
from slurm_mig.reconfigure.fleet.wire import (
    HELD,
    READY,
    REFUSED,
    Order,
    Report,
    read_line,
    read_order,
)
from slurm_mig.settings import Settings
from tests.fakes_reach import Ran
from tests.fakes_slurm import FakeSlurmClient
from tests.reconfigure.fleet import runs
from tests.reconfigure.fleet.fleets import FORMER_TYPES, GPUS, TARGET_TYPES, Fleet, HoldingPublisher
from tests.reconfigure.fleet.fleets import Member as Node
from tests.reconfigure.worlds import Killed, gres

NAME = "n01"


@pytest.fixture
def fleet(memory: Path) -> Fleet:
    return Fleet(memory, 1, 1)


@pytest.fixture
def node(fleet: Fleet) -> Node:
    return fleet.members[NAME]


def order(**more: object) -> Order:
    made = Order(runs.RUN, "ctl", NAME, "mixed", runs.TEXT)
    return made._replace(**more)  # type: ignore[arg-type]


def obey(node: Node, **more: object) -> Report:
    """What it reports, as it comes over the wire."""
    from slurm_mig.reconfigure.fleet.wire import order_text

    lines: list[bytes] = []
    assert node.obey(order_text(order(**more)).encode(), lines.append) == Ran(0)
    found = read_line(lines[-1], NAME)
    assert isinstance(found, Report)
    return found


def publish(fleet: Fleet, node: Node) -> None:
    """Slurm is told, by somebody else."""
    fleet.slurm.nodes[NAME].conf_gres = gres(node.live)
    fleet.reread()


def test_held_and_told_and_done(fleet: Fleet, node: Node) -> None:
    held = obey(node)
    assert (held.outcome, held.goal, held.gres) == (HELD, "target", gres(TARGET_TYPES))
    assert [took.phase for took in held.took] == ["DRAIN", "WAIT", "STOP", "PARTITION"]
    assert "DRAIN" in node.node
    assert node.reason.startswith(f"slurm-mig reconfigure [{runs.RUN}] to mixed; if it stopped")
    assert node.loaded is None
    publish(fleet, node)
    assert obey(node, published="target").outcome == "done"
    assert node.is_right(TARGET_TYPES)


def test_ready_its_slurmd_goes_on(fleet: Fleet, node: Node) -> None:
    """Slurm ends jobs without GRES where no slurmd answers for long: others may take hours."""
    ready = obey(node, waits=True)
    assert ready.outcome == READY
    assert [took.phase for took in ready.took] == ["DRAIN", "WAIT"]
    assert "DRAIN" in node.node
    assert node.loaded == FORMER_TYPES
    assert obey(node, waits=True).outcome == READY
    assert obey(node).outcome == HELD
    assert node.loaded is None
    assert obey(node, waits=True).outcome == HELD  # its slurmd stands still already
    publish(fleet, node)
    assert obey(node, published="target").outcome == "done"


def test_ready_and_told_to_go_back(node: Node) -> None:
    obey(node, waits=True)
    assert obey(node, undo=True).outcome == "former"
    assert node.is_right(FORMER_TYPES)


def test_the_same_order_again_says_the_same(fleet: Fleet, node: Node) -> None:
    held = obey(node)
    again = obey(node)
    assert (again.outcome, again.gres) == (held.outcome, held.gres)
    publish(fleet, node)
    done = obey(node, published="target")
    assert obey(node, published="target")._replace(took=()) == done._replace(took=(), way="")
    assert obey(node).outcome == "done"


def test_a_later_attempt_begins_anew(fleet: Fleet, node: Node) -> None:
    node.broken["change"] = 1
    assert obey(node).outcome == "former"
    assert obey(node).outcome == "former"
    assert obey(node, run_id=f"{runs.RUN}.2").outcome == HELD


def test_nothing_to_do(node: Node) -> None:
    node.live = node.loaded = dict(TARGET_TYPES)
    fake = node.slurm.nodes[NAME]
    fake.gres = fake.conf_gres = fake.slurmd_gres = gres(TARGET_TYPES)
    assert obey(node).outcome == "nothing"
    assert records.read(node.root) is None


def test_told_to_go_back_before_it_was_published(node: Node) -> None:
    obey(node)
    assert obey(node, undo=True).outcome == "former"
    assert node.is_right(FORMER_TYPES)


def test_told_to_go_back_when_slurm_may_have_been_told(fleet: Fleet, node: Node) -> None:
    obey(node)
    held = obey(node, undo=True, touched=True)
    assert (held.outcome, held.goal, held.gres) == (HELD, "former", gres(FORMER_TYPES))
    publish(fleet, node)
    assert obey(node, published="former").outcome == "former"
    assert node.is_right(FORMER_TYPES)


def test_told_to_go_back_where_nothing_was_begun(node: Node) -> None:
    assert obey(node, undo=True).outcome == "former"
    assert node.is_right(FORMER_TYPES)


def test_what_fails_when_slurm_was_told_is_held_once_more(fleet: Fleet, node: Node) -> None:
    obey(node)
    publish(fleet, node)
    node.broken["start slurmd"] = 1
    held = obey(node, published="target")
    assert (held.outcome, held.goal) == (HELD, "former")
    assert "start slurmd is broken" in held.problem
    publish(fleet, node)
    done = obey(node, published="former")
    assert done.outcome == "former"
    assert "start slurmd is broken" in done.problem


def test_once_told_it_does_not_cut_again(fleet: Fleet, node: Node) -> None:
    obey(node)
    publish(fleet, node)
    node.calls.clear()
    obey(node, published="target")
    assert "change" not in node.calls


def test_started_anew_meanwhile_it_looks_at_all(fleet: Fleet, node: Node) -> None:
    """No family keeps its geometry over a reboot."""
    obey(node)
    publish(fleet, node)
    (node.root / "proc/sys/kernel/random/boot_id").write_text("boot-1\n")
    node.live = dict(FORMER_TYPES)
    node.calls.clear()
    assert obey(node, published="target").outcome == "done"
    assert "change" in node.calls
    assert node.is_right(TARGET_TYPES)


def test_a_reconfigure_of_its_own_is_open(node: Node) -> None:
    node.record()
    report = obey(node)
    assert report.outcome == REFUSED
    assert "to mixed is not at its end (DRAIN): run `slurm-mig recover` there" in report.problem
    assert records.read(node.root) is not None


def test_a_rollback_takes_over_what_is_open(fleet: Fleet, node: Node) -> None:
    obey(node)
    report = obey(node, run_id="ffffffff", rollback=True)
    assert report.outcome == "done"
    assert node.is_right(FORMER_TYPES)
    assert obey(node, run_id="ffffffff", rollback=True).outcome == "done"


def test_a_rollback_of_the_last_one(fleet: Fleet, node: Node) -> None:
    obey(node)
    publish(fleet, node)
    obey(node, published="target")
    assert obey(node, run_id="ffffffff", rollback=True).outcome == HELD
    publish(fleet, node)
    assert obey(node, run_id="ffffffff", rollback=True, published="target").outcome == "done"
    assert node.is_right(FORMER_TYPES)


def test_a_rollback_of_nothing(node: Node) -> None:
    report = obey(node, rollback=True)
    assert report.outcome == REFUSED
    assert "no reconfigure of this node is known" in report.problem


def test_what_does_not_fit_is_refused(node: Node) -> None:
    text = runs.TEXT.replace("3g.40gb: 1", "3g.40gb: 9")
    report = obey(node, text=text)
    assert report.outcome == REFUSED
    assert "9" in report.problem


def test_this_machine_is_another_one(node: Node) -> None:
    client = FakeSlurmClient(node.slurm)
    member.must_be_here(client, NAME, "n01.example.org")
    with pytest.raises(Refused, match="this machine is n02, and not n01"):
        member.must_be_here(client, NAME, "n02")
    with pytest.raises(Refused, match="knows no node"):
        member.must_be_here(client, "n99", "n02")


def test_another_member_is_at_it(node: Node) -> None:
    """Its connection was lost, and it goes on: whoever comes later waits for its end, not long."""
    member_slack, member._SLACK_S = member._SLACK_S, 0.1
    try:
        with only_one(node.root, 0.1, *entry.LOCK):
            assert obey(node).outcome == REFUSED
    finally:
        member._SLACK_S = member_slack


def test_an_error_amid_it_does_not_say_that_nothing_was_changed(node: Node) -> None:
    def die() -> None:
        raise Killed

    node.at["changed"] = die
    with pytest.raises(Killed):
        node_obeys(node)
    assert records.read(node.root) is not None
    node.slurm.unanswered = 99
    assert obey(node).outcome == "drained"


def node_obeys(node: Node) -> None:
    world = node.world()._replace(publisher=HoldingPublisher(node))
    machine = member.Machine(NAME, lambda notes: "", lambda notes: "")
    member.obey(world, request(node), order(), machine)


def request(node: Node) -> Request:
    gpus = (GPUS[gres(node.live)],)
    return Request(node.root, Settings(), run=lambda work, watch: gpus)  # type: ignore[arg-type]


def test_recovered_alone(node: Node) -> None:
    """By the loop itself, whose publisher tells Slurm: nobody else is needed."""
    obey(node)
    assert loop.recover(node.again()).outcome == "done"
    assert node.is_right(TARGET_TYPES)
    assert obey(node).outcome == "done"


def test_recovered_alone_where_slurm_conf_cannot_be_written(node: Node) -> None:
    """Its reason and what it says name the machine where the run was begun."""
    obey(node)
    node.broken["publish"] = 9
    ended = loop.recover(node.again())
    assert ended.outcome == "drained"
    assert "`slurm-mig reconfigure --resume` on ctl" in ended.next_step
    assert node.reason.startswith(f"slurm-mig reconfigure --resume [{runs.RUN}] on ctl: PUBLISH")


def test_what_it_would_do(node: Node) -> None:
    node.slurm.submit("gpu:1g.10gb:1", NAME)
    world = node.world()._replace(publisher=HoldingPublisher(node))
    found = looked.to_json(member.prospect(world, request(node), order(), NAME))
    assert found["does"] == ["GPU 0: 7x1g.10gb -> 2x1g.10gb + 2g.20gb + 3g.40gb"]
    assert found["types"] == TARGET_TYPES
    assert [job["job_id"] for job in found["jobs"]] == [1]
    assert found["gpu_count"] == 1
    assert "DRAIN" not in node.node


def test_what_it_would_do_while_one_is_open(node: Node) -> None:
    node.record()
    world = node.world()
    with pytest.raises(JournalError, match="not at its end"):
        member.prospect(world, request(node), order(), NAME)


def test_the_published_goal_is_known_after_a_crash(fleet: Fleet, node: Node) -> None:
    obey(node)
    publish(fleet, node)
    node.kill_in = 8
    lines: list[bytes] = []
    from slurm_mig.reconfigure.fleet.wire import order_text

    text = order_text(order(published="target"))
    assert read_order(text).published == "target"
    with pytest.raises(Killed):
        node.obey(text.encode(), lines.append)
    found = records.read(node.root)
    assert found is not None
    assert found.notes[PUBLISHED] == "target"
    assert obey(node).outcome == "done"
