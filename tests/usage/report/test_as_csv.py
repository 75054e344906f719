"""CSV, read back by a program, and harmless in a spreadsheet."""

import csv
import io

from hypothesis import HealthCheck, given, settings

from slurm_mig.usage.report.as_csv import jobs_csv, overview_csv
from slurm_mig.usage.report.job import jobs
from slurm_mig.usage.report.overview import overview
from slurm_mig.usage.report.rows import Rows
from tests.usage.report import made
from tests.usage.report.strategies import MANY
from tests.usage.report.test_pages import JOBS, MIXED


def parsed(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), strict=True))


def test_groups() -> None:
    found = overview(Rows(made.rows(*MIXED)), "user")
    rows = parsed(overview_csv(found))
    assert [row["user"] for row in rows] == ["bob", "alice", "carol"]
    assert [float(row["slice_hours"]) for row in rows] == [
        group.slice_hours for group in found.groups
    ]
    assert (rows[0]["sm_mean"], rows[2]["hours_unknown"]) == ("", "1")


def test_slices_of_a_job() -> None:
    rows = parsed(jobs_csv(jobs(made.rows(*JOBS["requeued"]))))
    assert [(row["node"], row["restarts"], row["profile"]) for row in rows] == [
        ("n1", "0", "3g.40gb"),
        ("n1", "1", "3g.40gb"),
        ("n2", "1", "3g.20gb"),
    ]
    assert [row["would_have_done"] for row in rows] == ["1g.10gb", "1g.10gb", "1g.5gb"]
    assert [row["uncertain"] for row in rows] == ["false", "false", "true"]
    assert float(rows[0]["memory_peak_mib"]) == 3174.0
    assert rows[2]["sm_mean"] == ""


def test_a_name_is_no_formula() -> None:
    records = [
        made.one_record(made.one_slice("1g.10gb", None), user=user) for user in ("=1+1", "-x")
    ]
    rows = parsed(overview_csv(overview(Rows(made.rows(*records)), "user")))
    assert {row["user"] for row in rows} == {"'=1+1", "'-x"}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MANY)
def test_every_line_has_every_cell(records: list[made.Tree]) -> None:
    rows = made.rows(*records)
    for text, count in (
        (jobs_csv(jobs(rows)), len(rows)),
        (overview_csv(overview(Rows(rows), "user")), len(Rows(rows).totals("user"))),
    ):
        lines = list(csv.reader(io.StringIO(text), strict=True))
        assert len(lines) == count + 1
        assert len({len(line) for line in lines}) == 1
