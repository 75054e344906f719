"""Sums that Python makes are those that the database makes, and what is asked for is the same."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slurm_mig.usage.report.files import read
from slurm_mig.usage.report.rows import Rows
from slurm_mig.usage.report.source import Source
from slurm_mig.usage.report.stored import Stored
from slurm_mig.usage.store.asking import WHOLE_GPU, Filters, Total
from slurm_mig.usage.store.collect import collect
from slurm_mig.usage.store.database import opened
from tests.usage.report import made
from tests.usage.report.strategies import MANY

BYS: tuple[tuple[str, ...], ...] = (
    (), ("user",), ("account",), ("profile",), ("node",), ("partition",), ("day",),
    ("user", "gpu_name"), ("cluster",),
)  # fmt: skip
FILTERS = st.builds(
    Filters,
    since=st.none() | st.floats(0, 4e9),
    until=st.none() | st.floats(0, 4e9),
    users=st.sampled_from([(), ("alice",), ("alice", "2")]),
    nodes=st.sampled_from([(), ("n1",)]),
    profiles=st.sampled_from([(), ("3g.40gb",), (WHOLE_GPU, "1g.10gb")]),
    job_ids=st.sampled_from([(), (1,), (1, 2)]),
)


def near(one: Total) -> list[Any]:
    """Its figures, floats as pytest compares them: sums depend on their order a little."""
    return [
        pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, float) else value
        for value in one
    ]


def same(one: Source, other: Source) -> None:
    assert list(one.rows()) == list(other.rows())
    for by in BYS:
        left, right = one.totals(*by), other.totals(*by)
        assert {total.key for total in left} == {total.key for total in right}
        expected = {total.key: near(total) for total in right}
        for total in left:
            assert list(total) == expected[total.key]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MANY, FILTERS)
def test_files_and_the_database_agree(records: list[made.Tree], filters: Filters) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        file = made.write(Path(folder) / "2025-11.jsonl", *records)
        rows, problems = read([file], filters)
        assert problems == []
        url = f"sqlite:///{folder}/usage.db"
        with opened(Path("/"), url, make=True) as store:
            collect(store, [file])
            same(rows, Stored(store, filters))


def test_the_most_hours_come_first() -> None:
    rows = made.rows(
        made.one_record(made.one_slice("3g.40gb", None), user="bob", duration_s=1.0),
        made.one_record(made.one_slice("3g.40gb", None), user="carol", duration_s=None),
        made.one_record(made.one_slice("3g.40gb", None), user="alice", duration_s=9.0),
    )
    assert [one.key for one in Rows(rows).totals("user")] == [("alice",), ("bob",), ("carol",)]
    assert Rows(rows).totals()[0].hours_unknown == 1
    assert Rows([]).totals() == []
