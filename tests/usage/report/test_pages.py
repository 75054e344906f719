"""Pages as text: tests/golden/usage, made with SLURM_MIG_GOLDEN=write, and then read by someone."""

import os
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slurm_mig.usage.report.job_page import job_page
from slurm_mig.usage.report.overview import BY, overview
from slurm_mig.usage.report.overview_page import overview_page
from slurm_mig.usage.report.page import Page
from slurm_mig.usage.report.rows import Rows
from slurm_mig.usage.report.text import ASCII, text
from tests.usage.report import made
from tests.usage.report.strategies import MANY

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "usage"
RISING = [20, 410, *range(800, 3174, 200), 3174, *[1612] * 12, 800, 610, 26]
WAVE = [0.0, 0.0, *[0.24, 0.2, 0.16, 0.08, 0.04, 0.08, 0.16, 0.2] * 3, 0.12, 0.0, 0.0, 0.0]
HOPPER = made.one_slice(
    "3g.40gb",
    made.sampled(3174.0, activity=made.activity(0.12), curve=made.curve(RISING, WAVE)),
)
AMPERE = made.one_slice(
    "3g.20gb",
    made.sampled(
        3174.0,
        gaps=1,
        gap_s=132.0,
        coverage=0.78,
        curve=made.curve([*RISING[:8], *[None] * 6, *RISING[14:]], None),
    ),
    made.A100,
)
UNSEEN = made.one_slice("1g.10gb", None)
SHARED = made.one_slice("1c.3g.40gb", made.sampled(300.0, activity=made.activity(0.5, shared=True)))
IDLE = made.one_slice(
    None,
    made.sampled(
        9.0,
        processes={"method": "nvml-processes", "mean": 0.1, "peak": 1},
        energy={
            "method": "gpu-energy-by-slices",
            "estimate": False,
            "share": 1.0,
            "joules": 72_000.0,
        },
    ),
    made.A100,
)
UNKNOWN_END = {"exit_code": None, "signal": None, "exit_unknown_why": "its epilog was killed"}
AGAIN = {"restarts": 1, "start": made.START + 900.0, "end": made.START + 1500.0}
JOBS: dict[str, list[made.Tree]] = {
    "hopper": [made.one_record(HOPPER)],
    "ampere": [made.one_record(AMPERE, signal=9)],
    "unseen": [made.one_record(UNSEEN, **UNKNOWN_END, account=None, complete=False)],
    "shared": [made.one_record(SHARED, IDLE)],
    "requeued": [
        made.one_record(HOPPER, node="n1"),
        made.one_record(HOPPER, node="n1", **AGAIN),
        made.one_record(AMPERE, node="n2", **AGAIN, exit_code=1),
    ],
}
MIXED = [
    *(record for records in JOBS.values() for record in records),
    made.one_record(IDLE, user="bob", duration_s=7200.0, end=made.START + 90_000.0),
    made.one_record(HOPPER, user="carol", duration_s=None, account="maths"),
]


def golden(name: str, pages: list[Page]) -> None:
    """Hold what is printed to the file of that name."""
    said = "\n".join(text(page) for page in pages)
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("SLURM_MIG_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(said)
    assert said == path.read_text()


@pytest.mark.parametrize("name", JOBS)
def test_the_page_of_a_job(name: str) -> None:
    golden(f"job-{name}", [job_page(one, UTC) for one in made.job_usages(*JOBS[name])])


def test_the_page_that_the_documentation_shows_is_one() -> None:
    docs = Path(__file__).resolve().parents[3] / "docs" / "usage.md"
    assert (GOLDEN / "job-hopper.txt").read_text() in docs.read_text()


@pytest.mark.parametrize("by", ["user", "profile"])
def test_the_page_of_a_report(by: str) -> None:
    found = overview(Rows(made.rows(*MIXED)), by)
    golden(f"report-by-{by}", [overview_page(found, "since 2025-11-17 10:00:00", UTC)])


def test_a_report_of_nothing() -> None:
    said = text(overview_page(overview(Rows([]), "user"), "since yesterday", UTC))
    assert said == (
        "GPU slices by user, since yesterday\n"
        "There is no record of a job in that time. Records are written when jobs end, and"
        " gathered by\n`slurm-mig usage collect`.\n"
    )


def test_bars_for_a_terminal_that_has_no_blocks() -> None:
    (usage,) = made.job_usages(*JOBS["hopper"])
    assert "  memory, peak       ##..................  3.1 of" in text(job_page(usage, UTC), ASCII)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MANY, st.sampled_from(BY))
def test_any_records_make_pages_whose_lines_are_printable(
    records: list[made.Tree], by: str
) -> None:
    rows = made.rows(*records)
    pages = [job_page(one, UTC) for one in made.job_usages(*records)]
    for page in [*pages, overview_page(overview(Rows(rows), by), "always", UTC)]:
        for line in text(page).splitlines():
            assert line.isprintable()
            assert line == line.rstrip()
