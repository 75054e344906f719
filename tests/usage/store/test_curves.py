"""Curves out of records' lines: from files and from databases, and none that is not one."""

import json
from pathlib import Path
from typing import Any

import pytest

from slurm_mig.usage.report.files import read
from slurm_mig.usage.report.stored import Stored
from slurm_mig.usage.store.asking import Filters
from slurm_mig.usage.store.curves import curves_of
from slurm_mig.usage.store.database import Store
from slurm_mig.usage.store.nouns import Curve
from slurm_mig.usage.store.query import curves
from tests.usage.store.made import record, slice_, stored, usage

TOLD: dict[str, Any] = {
    "from_s": 0.4,
    "bucket_s": 160.0,
    "memory_peak_mib": [9, None, 4000],
    "sm_mean": [0.0, None, 0.71],
}
CURVE = Curve(0.4, 160.0, (9, None, 4000), (0.0, None, 0.71))


def with_curve(curve: object) -> dict[str, Any]:
    return slice_(usage=usage(curve=curve))


def line(*slices: dict[str, Any]) -> str:
    return json.dumps(record(1, record_id="r", slices=list(slices)))


def test_of_each_slice_that_has_one() -> None:
    found = curves_of(line(slice_(usage=None), with_curve(TOLD), slice_(), with_curve(None)))
    assert found == {("r", 1): CURVE}


def test_parts_may_be_unknown() -> None:
    for name in ("from_s", "memory_peak_mib", "sm_mean"):
        changes: dict[str, Any] = {name: None}
        (found,) = curves_of(line(with_curve({**TOLD, **changes}))).values()
        assert found == CURVE._replace(**changes)


def test_what_a_later_version_adds_is_left_alone() -> None:
    assert curves_of(line(with_curve({**TOLD, "tensor_mean": [1]}))) == {("r", 0): CURVE}


@pytest.mark.parametrize(
    "wrong",
    [
        "curve",
        [],
        {},
        {**TOLD, "from_s": -1},
        {**TOLD, "from_s": "0"},
        {**TOLD, "bucket_s": 0},
        {**TOLD, "bucket_s": None},
        {**TOLD, "bucket_s": True},
        {**TOLD, "bucket_s": 1e300},
        {**TOLD, "memory_peak_mib": [1, 2]},
        {**TOLD, "memory_peak_mib": "123"},
        {**TOLD, "memory_peak_mib": [1, 2, -3]},
        {**TOLD, "memory_peak_mib": [1, 2, 1e12]},
        {**TOLD, "memory_peak_mib": [1, [], 3]},
        {**TOLD, "sm_mean": [0, 0, 1.01]},
        {**TOLD, "sm_mean": [0, 0, True]},
        {**TOLD, "sm_mean": []},
        {**TOLD, "memory_peak_mib": [1] * 49, "sm_mean": [1] * 49},
        {**TOLD, "memory_peak_mib": None, "sm_mean": None},
        {name: value for name, value in TOLD.items() if name != "sm_mean"},
    ],
)
def test_what_is_none_is_not_shown(wrong: object) -> None:
    assert curves_of(line(with_curve(wrong))) == {}


def test_the_database_has_them_in_the_records_lines(store: Store, tmp_path: Path) -> None:
    """Records of before there were curves are beside them, and have none."""
    stored(
        store,
        tmp_path,
        record(1, record_id="a", slices=[with_curve(TOLD), with_curve({**TOLD, "from_s": None})]),
        record(1, record_id="b", restarts=1),
        record(2, record_id="c", slices=[with_curve(TOLD)]),
        record(1, record_id="d", restarts=2, slices=[with_curve({**TOLD, "bucket_s": 5})]),
    )
    expected = {
        ("a", 0): CURVE,
        ("a", 1): CURVE._replace(from_s=None),
        ("d", 0): CURVE._replace(bucket_s=5.0),
    }
    asked = Filters(job_ids=(1,))
    assert curves(store, asked) == Stored(store, asked).curves() == expected
    from_files, problems = read([tmp_path / "made.jsonl"], asked)
    assert (from_files.curves(), problems) == (expected, [])
    assert curves(store, Filters(job_ids=(3,))) == {}
    assert ("c", 0) in curves(store, Filters())


def test_of_reports_about_all_jobs_files_keep_none(store: Store, tmp_path: Path) -> None:
    stored(store, tmp_path, record(1, slices=[with_curve(TOLD)]))
    found, _ = read([tmp_path / "made.jsonl"], Filters())
    assert found.curves() == {}
