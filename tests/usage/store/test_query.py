"""Which records a question is about, on SQLite and PostgreSQL."""

from pathlib import Path

import pytest

from slurm_mig.usage.store.database import Store
from slurm_mig.usage.store.filters import WHOLE_GPU, Filters
from slurm_mig.usage.store.query import rows
from tests.usage.store.made import record, slice_, stored

CASES: list[tuple[Filters, list[int]]] = [
    (Filters(), [1, 2, 3, 4]),
    (Filters(since=200.0), [2, 3]),
    (Filters(until=200.0), [1]),
    (Filters(since=100.0, until=300.0), [1, 2]),
    (Filters(users=("grace",)), [2]),
    (Filters(users=("grace", "1003")), [2, 4]),
    (Filters(users=("²",)), []),
    (Filters(accounts=("physics",)), [1, 3]),
    (Filters(partitions=("long", "none")), [2]),
    (Filters(clusters=("d",)), [3]),
    (Filters(nodes=("n2",)), [3]),
    (Filters(profiles=("1g.10gb",)), [1, 2, 3, 4]),
    (Filters(profiles=(WHOLE_GPU,)), [3]),
    (Filters(profiles=("9g.90gb", WHOLE_GPU)), [3]),
    (Filters(job_ids=(1, 4)), [1, 4]),
    (Filters(users=("grace",), nodes=("n2",)), []),
    (Filters(users=("' OR 1=1 --",)), []),
]


@pytest.fixture
def many(store: Store, tmp_path: Path) -> Store:
    whole = slice_(profile=None, mig_uuid=None)
    stored(
        store,
        tmp_path,
        record(1, end=100.0),
        record(2, end=200.0, user="grace", uid=1002, account="maths", partition="long"),
        record(3, end=300.0, node="n2", cluster="d", slices=[slice_(), whole]),
        record(4, end=None, user=None, uid=1003, account=None, node=None),
    )
    return store


def found(store: Store, filters: Filters) -> list[int]:
    return sorted({held.job.job_id for held in rows(store, filters)})


def test_filters(many: Store) -> None:
    for filters, jobs in CASES:
        assert found(many, filters) == jobs, filters


def test_only_the_slices_that_match(many: Store) -> None:
    profiles = [one.slice.profile for one in rows(many, Filters(profiles=("1g.10gb",)))]
    assert profiles == ["1g.10gb"] * 4


def test_by_end_and_unknown_ones_last(many: Store) -> None:
    assert [one.job.job_id for one in rows(many)] == [1, 2, 3, 3, 4]


def test_a_question_may_be_left_unanswered(many: Store) -> None:
    answer = rows(many)
    assert next(answer).job.job_id == 1
    answer.close()  # type: ignore[attr-defined]
    assert found(many, Filters()) == [1, 2, 3, 4]
