"""What `recover` finds where no reconfigure is open: a slurmctld that forgot the end of one."""

from pathlib import Path

import pytest

from slurm_mig.errors import JournalError
from slurm_mig.gpu.change.prepare import Request
from slurm_mig.reconfigure import begin, entry, loop
from slurm_mig.reconfigure import record as records
from slurm_mig.settings import Settings
from tests.fakes_slurm import FakeSlurmClient
from tests.reconfigure.fleet.fleets import GPUS
from tests.reconfigure.worlds import FORMER_TYPES, NODE, TARGET_TYPES, Bench, gres


@pytest.fixture
def bench(memory: Path) -> Bench:
    """One whose node was reconfigured."""
    made = Bench(memory)
    assert loop.forward(made.run()).outcome == "done"
    return made


def request(bench: Bench) -> Request:
    """One that sees the GPUs as they are."""
    gpus = (GPUS[gres(bench.live)],)
    return Request(bench.root, Settings(), run=lambda work, watch: gpus)  # type: ignore[arg-type]


def recover(bench: Bench, *, undo: bool = False) -> loop.Ended:
    return entry.recover(bench.world(), request(bench), undo=undo)


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


def test_where_slurmctld_has_the_drain_of_the_one_before(bench: Bench) -> None:
    last = records.read(bench.root, records.LAST)
    assert last is not None
    again = last._replace(notes={**last.notes, begin.PREVIOUS: "0badcafe"}, ended=False)
    records.begin(bench.root, again)
    records.close(bench.root, again)
    FakeSlurmClient(bench.slurm).drain(NODE, "slurm-mig reconfigure [0badcafe] to x")
    assert recover(bench).outcome == "done"
    assert bench.is_right(TARGET_TYPES)


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
    assert entry.forgotten(bench.world(), request(bench)) is None


def test_while_one_is_open_that_one_counts(bench: Bench) -> None:
    forget(bench)
    bench.record()
    assert entry.forgotten(bench.world(), request(bench)) is None
    with pytest.raises(JournalError, match="is not at its end"):
        entry.must_be_none_open(bench.root)


class TestADynamicNodeAsItWasBeforeItsDeletion:
    @pytest.fixture
    def dynamic(self, memory: Path) -> Bench:
        made = Bench(memory, release="22.05.8", dynamic=True)
        assert loop.forward(made.run()).outcome == "done"
        return made

    @pytest.mark.parametrize("flags", [set(), {"DRAIN"}, {"DRAIN", "INVALID_REG"}])
    def test_it_is_told_again(self, dynamic: Bench, flags: set[str]) -> None:
        node = dynamic.slurm.nodes[NODE]
        node.gres, node.flags = gres(FORMER_TYPES), set(flags)
        node.reason = "gres/gpu count reported lower than configured (4 < 7)" if flags else ""
        dynamic.lenient = True
        assert recover(dynamic).outcome == "done"
        assert dynamic.is_right(TARGET_TYPES)
        assert recover(dynamic).outcome == entry.NOTHING

    def test_or_of_which_nothing_is_left(self, dynamic: Bench) -> None:
        del dynamic.slurm.nodes[NODE]
        assert recover(dynamic).outcome == "done"
        assert dynamic.is_right(TARGET_TYPES)

    def test_or_that_came_back_drained_without_a_reason(self, dynamic: Bench) -> None:
        node = dynamic.slurm.nodes[NODE]
        node.flags, node.reason = {"DRAIN"}, ""
        assert recover(dynamic).outcome == "done"
        assert dynamic.is_right(TARGET_TYPES)

    def test_somebody_s_drain_stays(self, dynamic: Bench) -> None:
        dynamic.slurm.nodes[NODE].gres = gres(FORMER_TYPES)
        FakeSlurmClient(dynamic.slurm).drain(NODE, "a fan is loud")
        assert recover(dynamic).outcome == "done"
        assert "DRAIN" in dynamic.node
        assert dynamic.reason == "a fan is loud"
        assert dynamic.slurm.nodes[NODE].gres == gres(TARGET_TYPES)

    def test_what_was_applied_by_hand_since_is_not_undone(self, dynamic: Bench) -> None:
        dynamic.live = dict(FORMER_TYPES)
        dynamic.lenient = True
        assert entry.forgotten(dynamic.world(), request(dynamic)) is None
        assert dynamic.live == FORMER_TYPES

    def test_nor_is_a_slurmd_started_that_somebody_stopped(self, dynamic: Bench) -> None:
        dynamic.slurm.nodes[NODE].gres = gres(FORMER_TYPES)
        dynamic.loaded = None
        assert entry.forgotten(dynamic.world(), request(dynamic)) is None
