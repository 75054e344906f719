"""How big waves are, who is in them, and when none may begin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.errors import UsageError
from slurm_mig.reconfigure.fleet import waves
from slurm_mig.reconfigure.fleet.record import (
    DONE,
    DRAINED,
    ENDED,
    FORMER,
    HELD,
    NOTHING,
    ORDERED,
    OUT,
    OUTCOMES,
    READY,
    WAITING,
    NodeEntry,
    RunOptions,
    RunRecord,
    failures,
    reopened,
)
from slurm_mig.slurm.version import SlurmVersion
from tests.fakes_slurm import FakeSlurm, FakeSlurmClient
from tests.reconfigure.fleet import runs

STAGES = st.sampled_from([(WAITING, ""), (ORDERED, ""), (READY, ""), (HELD, "")])
ENDS = st.sampled_from([(ENDED, outcome) for outcome in OUTCOMES])


@st.composite
def some_runs(draw: st.DrawFn) -> RunRecord:
    """A run at any moment."""
    pairs = draw(st.lists(st.one_of(STAGES, ENDS), min_size=1, max_size=40))
    nodes = tuple(
        NodeEntry(f"n{at}", int(stage != WAITING), stage, outcome)
        for at, (stage, outcome) in enumerate(pairs)
    )
    most, may_fail = draw(st.integers(1, 10)), draw(st.integers(1, 5))
    problem = draw(st.sampled_from(["", "", "", "slurm.conf was changed by hand"]))
    made = runs.record()._replace(nodes=nodes, problem=problem)
    return made._replace(options=RunOptions("reach", most, may_fail))


@pytest.mark.parametrize(
    ("text", "count", "size"),
    [("8", 64, 8), ("8", 3, 8), ("25%", 64, 16), ("1%", 64, 1), ("100%", 7, 7), ("33%", 10, 3)],
)
def test_sizes(text: str, count: int, size: int) -> None:
    assert waves.size_of(text, count) == size


@pytest.mark.parametrize("text", ["0", "-1", "", "%", "0%", "101%", "1.5", "two", "٣", "8 %"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match=r"such as 8 or 25%|at most 100%"):
        waves.size_of(text, 10)


def test_those_without_jobs_come_first() -> None:
    slurm = FakeSlurm(SlurmVersion(24, 11, 5))
    for name in ("n1", "n2", "n3", "n4"):
        slurm.add(name, "gpu:1g.10gb:7")
    slurm.submit("gpu:1g.10gb:1", "n1")
    slurm.submit("gpu:1g.10gb:1", "n3")
    nodes = FakeSlurmClient(slurm).nodes(["n1", "n2", "n3", "n4"])
    assert waves.order(nodes) == ("n2", "n4", "n1", "n3")


@given(st.integers(1, 200), st.integers(1, 50))
def test_planned_waves_are_all_nodes_once(count: int, size: int) -> None:
    made = list(waves.planned(runs.names(count), size))
    assert [name for wave in made for name in wave] == list(runs.names(count))
    assert all(len(wave) == size for wave in made[:-1])
    assert 1 <= len(made[-1]) <= size


@given(some_runs())
def test_never_more_are_out_than_may_be(record: RunRecord) -> None:
    out = sum(one.stage in (ORDERED, READY, HELD) or one.outcome in OUT for one in record.nodes)
    wave = waves.following(record)
    assert not wave or len(wave) + out <= record.options.max_unavailable
    assert {record.node(name).stage for name in wave} <= {WAITING}


@given(some_runs())
def test_none_begins_when_too_many_have_failed(record: RunRecord) -> None:
    if failures(record.nodes) >= record.options.max_failures or record.problem:
        assert waves.following(record) == ()


@given(some_runs())
def test_that_none_begins_has_a_reason(record: RunRecord) -> None:
    left = [one for one in record.nodes if one.stage == WAITING]
    assert bool(waves.why_none(record)) == (bool(left) and not waves.following(record))


@given(some_runs())
def test_taken_up_again_what_is_done_stays(record: RunRecord) -> None:
    again = reopened(record)
    for before, after in zip(record.nodes, again.nodes, strict=True):
        if before.outcome in (DONE, NOTHING):
            assert after == before
        else:
            assert after.stage in (WAITING, ORDERED)
            assert after.outcome == ""
            assert after.published == before.published or after.stage == WAITING
    assert failures(again.nodes) == 0
    assert not again.problem


@given(some_runs())
def test_taken_up_again_no_more_are_out_than_were(record: RunRecord) -> None:
    """What stays out of service goes on; what went back waits for a wave like the others."""
    assert sum(one.out for one in reopened(record).nodes) == sum(one.out for one in record.nodes)


def test_what_went_back_is_begun_anew() -> None:
    node = NodeEntry("n1", 3, ENDED, FORMER, published="former", touched=True, problem="x")
    record = runs.record()._replace(nodes=(node,))
    assert reopened(record).nodes == (NodeEntry("n1", attempt=2),)


def test_what_stays_drained_goes_on_where_it_is() -> None:
    node = NodeEntry("n1", 3, ENDED, DRAINED, published="target", touched=True, problem="x")
    (again,) = reopened(runs.record()._replace(nodes=(node,))).nodes
    assert (again.stage, again.wave, again.published, again.attempt) == (ORDERED, 3, "target", 1)
