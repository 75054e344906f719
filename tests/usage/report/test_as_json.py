"""JSON, held to docs/usage-report.schema.json."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slurm_mig.usage.report.as_json import jobs_json, overview_json
from slurm_mig.usage.report.overview import BY, overview
from slurm_mig.usage.report.rows import Rows
from tests.usage.report import made
from tests.usage.report.strategies import MANY
from tests.usage.report.test_pages import JOBS, MIXED

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[3] / "docs/usage-report.schema.json").read_text()
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def told(tree: dict[str, Any]) -> Any:
    """As a program reads it: strict JSON, valid by the schema."""
    read = json.loads(json.dumps(tree, allow_nan=False))
    VALIDATOR.validate(read)
    return read


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate({"version": 1})


def test_a_report() -> None:
    found = told(overview_json(overview(Rows(made.rows(*MIXED)), "user"), 1.0, None, ["f:1: x"]))
    assert (found["version"], found["by"], found["since"], found["until"]) == (1, "user", 1.0, None)
    assert [group["key"] for group in found["groups"]] == ["bob", "alice", "carol"]
    assert found["idle"]["slices"] == 2
    assert found["idle"]["longest"][0]["user"] == "bob"
    assert found["right_sizing"][0]["would_do"] == "1g.5gb"
    assert found["problems"] == ["f:1: x"]


def test_a_job() -> None:
    found = told(jobs_json(4242, made.job_usages(*JOBS["requeued"]), []))
    (job,) = found["jobs"]
    assert [run["node"] for run in job["runs"]] == ["n1", "n1", "n2"]
    (one,) = job["runs"][2]["slices"]
    assert (one["memory_peak_mib"], one["sm_mean"], one["idle"]) == (3174.0, None, None)
    assert one["advice"]["doubts"] == [
        "only 78% of its time was sampled",
        "sampled with 1 gap",
    ]


def test_nothing_is_null_not_nought() -> None:
    found = told(overview_json(overview(Rows([]), "user"), 0.0, 1.0, []))
    assert (found["total"], found["groups"]) == (None, [])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MANY, st.sampled_from(BY))
def test_any_records_are_told_by_the_schema(records: list[made.Tree], by: str) -> None:
    rows = made.rows(*records)
    told(overview_json(overview(Rows(rows), by), None, None, []))
    told(jobs_json(1, made.job_usages(*records), []))
