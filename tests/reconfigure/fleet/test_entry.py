"""The ways in: one run at a time, no node in two of them, and the right one taken up again."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from slurm_mig.errors import JournalError, NoSuchNode, Refused
from slurm_mig.gpu.change.nodelock import only_one
from slurm_mig.reconfigure.fleet import entry, files, status
from slurm_mig.reconfigure.fleet.engine import FleetRun, FleetWorld, Look
from slurm_mig.reconfigure.fleet.entry import Wish
from slurm_mig.reconfigure.fleet.record import RunOptions, RunRecord
from slurm_mig.slurm.version import SlurmVersion
from tests.fakes_slurm import FakeSlurm, FakeSlurmClient
from tests.gpu.changing import BOOT_ID
from tests.reconfigure.fleet import runs

WISH = Wish(("n2", "n1", "n3"), "mixed", runs.TEXT, False, RunOptions("reach", 2))


class Ends:
    """An engine by which every node ends so; None: it is interrupted."""

    def __init__(self, outcome: str | None) -> None:
        self.outcome = outcome
        self.carried: list[tuple[str, ...]] = []

    def carry(self, run: FleetRun, names: Sequence[str]) -> None:
        self.carried.append(tuple(names))
        if self.outcome is None:
            raise KeyboardInterrupt
        for name in names:
            run.end(name, self.outcome, "" if self.outcome == "done" else "why", "mend it")

    def look(self, record: RunRecord, names: Sequence[str]) -> list[Look]:
        return []


@pytest.fixture
def world(tmp_path: Path) -> FleetWorld:
    boot = tmp_path / BOOT_ID
    boot.parent.mkdir(parents=True)
    boot.write_text("boot-0\n")
    slurm = FakeSlurm(SlurmVersion(24, 11, 5))
    for name in ("n1", "n2", "n3", "n4"):
        slurm.add(name, "gpu:1g.10gb:7")
    slurm.submit("gpu:1g.10gb:1", "n2")
    return FleetWorld(tmp_path, FakeSlurmClient(slurm))


def started(world: FleetWorld, engine: Ends, wish: Wish = WISH) -> FleetRun:
    return entry.start(world, engine, entry.new(world, wish))


def interrupted(world: FleetWorld) -> RunRecord:
    with pytest.raises(KeyboardInterrupt):
        started(world, Ends(None))
    return entry.named(world.root, None)


def test_a_new_one(world: FleetWorld) -> None:
    engine = Ends("done")
    run = started(world, engine)
    assert engine.carried == [("n1", "n3"), ("n2",)]  # which has a job
    assert run.record.done
    assert run.record.ended
    assert entry.named(world.root, None) == run.record
    assert status.state_of(run.record, in_progress=False) == "done"


def test_nodes_that_nobody_knows(world: FleetWorld) -> None:
    with pytest.raises(NoSuchNode, match="n8, n9"):
        entry.new(world, WISH._replace(names=("n1", "n8", "n9")))


def test_it_stops_when_some_have_failed(world: FleetWorld) -> None:
    engine = Ends("former")
    run = started(world, engine)
    assert engine.carried == [("n1", "n3")]
    assert run.record.problem == "2 failed, of which there may be 1: 1 node not begun"
    assert status.state_of(run.record, in_progress=False) == "stopped"
    assert list(status.told(run.record)) == [
        f"{name}: not done, and the node is as before: why: mend it" for name in ("n1", "n3")
    ]


def test_taken_up_again(world: FleetWorld) -> None:
    cut_short = interrupted(world)
    assert status.state_of(cut_short, in_progress=False) == "interrupted"
    assert status.state_of(cut_short, in_progress=True) == "in progress"
    assert status.counts(cut_short) == {"ordered": 2, "waiting": 1}
    engine = Ends("done")
    run = entry.resume(world, lambda name: engine, None, {})
    assert run.record.done
    assert engine.carried == [("n1", "n3"), ("n2",)]


def test_taken_up_again_with_other_options(world: FleetWorld) -> None:
    started(world, Ends("former"))
    engine = Ends("former")
    other = {"max_failures": 5, "max_unavailable": 1}
    entry.resume(world, lambda name: engine, None, other)
    assert engine.carried == [("n1",), ("n3",), ("n2",)]


def test_which_one(world: FleetWorld) -> None:
    with pytest.raises(Refused, match="no run over many nodes was begun on this machine"):
        entry.named(world.root, None)
    first = started(world, Ends("done")).record
    second = started(world, Ends("done")).record
    assert entry.named(world.root, None).run_id == second.run_id
    assert entry.named(world.root, first.run_id) == first
    with pytest.raises(Refused, match="no run 00000000 over many nodes"):
        entry.named(world.root, "00000000")


def test_one_at_a_time(world: FleetWorld) -> None:
    record = entry.new(world, WISH)
    assert not entry.in_progress(world.root)
    with only_one(world.root, 0.1, *files.LOCK):
        assert entry.in_progress(world.root)
        with pytest.raises(Refused, match="another reconfigure of many nodes is under way"):
            entry.start(world, Ends("done"), record)
    assert files.runs(world.root) == ()


def test_a_node_in_the_middle_of_another_run(world: FleetWorld) -> None:
    cut_short = interrupted(world)
    with pytest.raises(JournalError, match=f"run {cut_short.run_id} to mixed is not at its end"):
        started(world, Ends("done"))
    started(world, Ends("done"), WISH._replace(names=("n4",)))  # it has no part in that


def test_a_rollback_ends_the_run_that_it_undoes(world: FleetWorld) -> None:
    cut_short = interrupted(world)
    back = WISH._replace(label="", text="", rollback=True)
    assert started(world, Ends("done"), back).record.what == "what was before"
    over = entry.named(world.root, cut_short.run_id)
    assert status.counts(over) == {"former": 2, "waiting": 1}
    assert over.node("n1").problem == "rolled back by a later run"


def test_the_json_of_a_run(world: FleetWorld) -> None:
    found = status.to_json(started(world, Ends("lost")).record, in_progress=False)
    assert (found["version"], found["state"], found["good"]) == (1, "stopped", False)
    assert found["counts"] == {"lost": 2, "waiting": 1}
    node = found["nodes"][0]
    assert (node["node"], node["wave"], node["state"], node["problem"]) == ("n1", 1, "lost", "why")
