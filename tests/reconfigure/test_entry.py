"""What `recover` finds where no reconfigure is open: a slurmctld that forgot the end of one."""

from pathlib import Path

import pytest

from slurm_mig.errors import JournalError
from slurm_mig.gpu.change.prepare import Request
from slurm_mig.reconfigure import entry, loop
from slurm_mig.reconfigure import record as records
from slurm_mig.settings import Settings
from tests.fakes_slurm import FakeSlurmClient
from tests.reconfigure.worlds import FORMER_TYPES, NODE, TARGET_TYPES, Bench


@pytest.fixture
def bench(memory: Path) -> Bench:
    """One whose node was reconfigured."""
    made = Bench(memory)
    assert loop.forward(made.run()).outcome == "done"
    return made


def recover(bench: Bench, *, undo: bool = False) -> loop.Ended:
    return entry.recover(bench.world(), Request(bench.root, Settings()), undo=undo)


def forget(bench: Bench) -> None:
    """slurmctld comes back with what it had saved before the resume."""
    last = records.read(bench.root, records.LAST)
    assert last is not None
    FakeSlurmClient(bench.slurm).drain(NODE, last.reason)


def test_nothing_to_do(bench: Bench) -> None:
    assert recover(bench).outcome == entry.NOTHING


def test_a_resume_that_was_forgotten_is_done_again(bench: Bench) -> None:
    forget(bench)
    ended = recover(bench)
    assert ended.outcome == "done"
    assert [one.phase for one in ended.took] == ["VERIFY", "RESUME", "COMMIT"]
    assert bench.is_right(TARGET_TYPES)
    assert recover(bench).outcome == entry.NOTHING


def test_of_one_that_went_back_too(memory: Path) -> None:
    bench = Bench(memory)
    bench.broken["publish"] = 1
    assert loop.forward(bench.run()).outcome == "former"
    forget(bench)
    assert recover(bench).outcome == "former"
    assert bench.is_right(FORMER_TYPES)


def test_where_slurmctld_has_forgotten_more_all_of_it_is_done_again(bench: Bench) -> None:
    forget(bench)
    bench.slurm.nodes[NODE].gres = "gpu:1g.10gb:7"
    ended = recover(bench)
    assert ended.outcome == "done"
    assert ended.took[0].phase == "DRAIN"
    assert bench.is_right(TARGET_TYPES)


OTHERS = ("a fan is loud", "slurm-mig reconfigure [00000000] to x", "gres/gpu count")


@pytest.mark.parametrize("why", OTHERS)
def test_another_drain_stays(bench: Bench, why: str) -> None:
    FakeSlurmClient(bench.slurm).drain(NODE, why)
    assert recover(bench).outcome == entry.NOTHING
    assert bench.reason == why
    assert "DRAIN" in bench.node


def test_what_somebody_had_drained_stays_so(memory: Path) -> None:
    bench = Bench(memory)
    FakeSlurmClient(bench.slurm).drain(NODE, "a disk is slow")
    assert loop.forward(bench.run()).outcome == "done"
    assert recover(bench).outcome == entry.NOTHING
    assert bench.reason == "a disk is slow"


def test_a_node_that_is_gone(bench: Bench) -> None:
    del bench.slurm.nodes[NODE]
    assert entry.forgotten(bench.world()) is None


def test_while_one_is_open_that_one_counts(bench: Bench) -> None:
    forget(bench)
    bench.record()
    assert entry.forgotten(bench.world()) is None
    with pytest.raises(JournalError, match="is not at its end"):
        entry.must_be_none_open(bench.root)
