"""How slices are judged: by Python, and the same by a database."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from slurm_mig.usage.report.files import read
from slurm_mig.usage.report.rows import Rows
from slurm_mig.usage.report.stored import Stored
from slurm_mig.usage.store.asking import Filters, Sizing
from slurm_mig.usage.store.collect import collect
from slurm_mig.usage.store.database import Store, opened, writing
from slurm_mig.usage.store.schema import records, slices, sources, texts
from tests.usage.report import made
from tests.usage.report.strategies import MANY
from tests.usage.report.test_adding import FILTERS

NOBODY = {"processes": {"method": "nvml-processes", "mean": 0.0, "peak": 0}}


def same_sizing(one: Iterable[Sizing], other: Iterable[Sizing]) -> None:
    """Equal but for the order, and for that in which hours were added."""
    left, right = ({row[:4]: row for row in rows} for rows in (one, other))
    assert left.keys() == right.keys()
    for key, row in right.items():
        assert list(left[key]) == [near(value) for value in row]


def near(value: Any) -> Any:
    return pytest.approx(value, rel=1e-9) if isinstance(value, float) else value


def test_the_database_finds_what_python_finds(memory: Path) -> None:
    file = memory / "2025-11.jsonl"
    with opened(Path("/"), f"sqlite:///{memory}/usage.db", make=True) as store:

        @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(MANY, FILTERS)
        def check(records: list[made.Tree], filters: Filters) -> None:
            emptied(store)
            collect(store, [made.write(file, *records)])
            rows, there = read([file], filters)[0], Stored(store, filters)
            same_sizing(there.sizing(), rows.sizing())
            assert all(there.idle(most) == rows.idle(most) for most in (1, 50))
            assert list(there.rows()) == list(rows.rows())

        check()


def emptied(store: Store) -> None:
    """A new database costs more than all that is asked of it."""
    with writing(store) as connection:
        for table in (texts, slices, records, sources):
            connection.execute(table.delete())


def test_of_equally_long_ones_the_first_rows_are_named() -> None:
    idle = made.one_slice("3g.40gb", made.sampled(9.0, **NOBODY))
    rows = Rows(
        made.rows(
            made.one_record(idle, job_id=3, duration_s=5.0, end=None),
            made.one_record(idle, job_id=2, duration_s=5.0),
            made.one_record(idle, idle, job_id=1, duration_s=5.0),
            made.one_record(idle, job_id=4, duration_s=None),
            made.one_record(made.one_slice("3g.40gb", None), job_id=5, duration_s=9.0),
        )
    )
    found = rows.idle(4)
    assert found.slices == 5
    assert [(row.job.job_id, row.slice.position) for row in found.longest] == [
        (1, 0), (1, 1), (2, 0), (3, 0),
    ]  # fmt: skip


def test_nothing_to_judge() -> None:
    assert Rows([]).sizing() == []
    assert Rows([]).idle(9) == (0, ())
