"""Sums over what jobs held, made by SQLite and by PostgreSQL."""

from pathlib import Path
from typing import Any

import pytest

from slurm_mig.errors import UsageError
from slurm_mig.usage.store.database import Store
from slurm_mig.usage.store.filters import Filters
from slurm_mig.usage.store.totals import BY, Total, totals
from tests.usage.store.made import activity, memory, record, slice_, stored, usage


def total(store: Store, filters: Filters = Filters()) -> Total:  # noqa: B008 (a tuple)
    (one,) = totals(store, filters)
    return one


def sampled(**changes: Any) -> list[dict[str, Any]]:
    return [slice_(usage=usage(**changes))]


def test_nothing_sums_to_nothing(store: Store) -> None:
    assert totals(store) == totals(store, by=["user"]) == []


def test_one_slice(store: Store, tmp_path: Path) -> None:
    stored(store, tmp_path, record(slices=[slice_()]))
    assert total(store) == Total(
        key=(),
        jobs=1,
        records=1,
        slices=1,
        slice_hours=1.0,
        hours_unknown=0,
        sampled_hours=1.0,
        memory_mean_share=0.25,
        memory_peak_share=0.5,
        memory_peak_mib=5000.0,
        graphics_mean=0.5,
        sm_mean=0.5,
        tensor_mean=0.5,
        dram_bandwidth_mean=0.5,
        activity_hours=1.0,
        idle_hours=0.0,
        processes_hours=1.0,
        energy_joules=7200.0,
        energy_hours=1.0,
    )


def test_where_nothing_was_sampled_nothing_is_known(store: Store, tmp_path: Path) -> None:
    stored(store, tmp_path, record(slices=[slice_(usage=None)]))
    one = total(store)
    assert (one.slice_hours, one.sampled_hours, one.activity_hours) == (1.0, 0.0, 0.0)
    assert one.memory_mean_share is one.memory_peak_share is one.memory_peak_mib is None
    assert one.graphics_mean is one.idle_hours is one.energy_joules is None


def test_a_time_that_nobody_knows_is_in_no_sum(store: Store, tmp_path: Path) -> None:
    stored(store, tmp_path, record(1), record(2, duration_s=None, end=None))
    one = total(store)
    assert (one.slice_hours, one.hours_unknown, one.slices) == (1.0, 1, 2)


def test_a_job_of_two_nodes_that_was_requeued_is_one_job(store: Store, tmp_path: Path) -> None:
    stored(
        store,
        tmp_path,
        record(1, job_id=7, node="n1"),
        record(2, job_id=7, node="n2"),
        record(3, job_id=7, restarts=1, slices=[slice_(), slice_()]),
        record(4, job_id=7, cluster="other"),
    )
    one = total(store)
    assert (one.jobs, one.records, one.slices) == (2, 4, 5)


def test_means_are_weighted_by_time(store: Store, tmp_path: Path) -> None:
    stored(
        store,
        tmp_path,
        record(1, slices=sampled(sampled_s=3000.0, memory=memory(8000.0))),
        record(2, slices=sampled(sampled_s=1000.0, memory=memory(4000.0))),
        record(3, slices=sampled(activity=activity(0.1, sampled_s=10800.0))),
    )
    one = total(store)
    assert one.memory_mean_share == pytest.approx(
        (0.4 * 3000 + 0.2 * 1000 + 0.25 * 3600) / (3000 + 1000 + 3600)
    )
    assert one.memory_peak_share == 0.8
    assert one.sm_mean == pytest.approx((0.5 * 3600 * 2 + 0.1 * 10800) / (3600 * 2 + 10800))
    assert one.activity_hours == 5.0


def test_a_shared_gpu_instance_says_nothing_of_one_job(store: Store, tmp_path: Path) -> None:
    stored(store, tmp_path, record(slices=sampled(activity=activity(1.0, shared_gi=True))))
    one = total(store)
    assert (one.graphics_mean, one.activity_hours) == (None, 0.0)


@pytest.mark.parametrize(("mean", "idle"), [(0.0, 1.0), (0.25, 0.75), (1.0, 0.0), (3.5, 0.0)])
def test_idle_is_what_the_mean_of_processes_leaves(
    store: Store, tmp_path: Path, mean: float, idle: float
) -> None:
    processes = {"method": "nvml-processes", "mean": mean, "peak": 4}
    unknown = record(2, slices=sampled(processes=None))
    stored(store, tmp_path, record(1, slices=sampled(processes=processes)), unknown)
    one = total(store)
    assert (one.idle_hours, one.processes_hours) == (idle, 1.0)


def test_by_each(store: Store, tmp_path: Path) -> None:
    other = {
        "user": "grace",
        "account": "maths",
        "partition": "long",
        "node": "n2",
        "cluster": "d",
        "end": 86400.0 + 5,
    }
    slices = [slice_(profile=None, gpu_name="A100")] * 2
    stored(store, tmp_path, record(1), record(2, **other, slices=slices))
    keys = {by: [one.key for one in totals(store, by=[by])] for by in BY}
    assert keys == {
        "user": [("grace",), ("ada",)],  # most hours first
        "account": [("maths",), ("physics",)],
        "partition": [("long",), ("main",)],
        "profile": [(None,), ("1g.10gb",)],
        "node": [("n2",), ("n1",)],
        "day": [("1970-01-02",), ("1970-01-01",)],
        "gpu_name": [("A100",), ("NVIDIA H100 80GB HBM3",)],
        "cluster": [("d",), ("c",)],
    }


def test_by_two(store: Store, tmp_path: Path) -> None:
    both = [slice_(), slice_(profile="2g.20gb")]
    stored(store, tmp_path, record(1, slices=both), record(2, user="grace"))
    by = totals(store, by=["user", "profile"])
    assert [one.key for one in by] == [("ada", "1g.10gb"), ("ada", "2g.20gb"), ("grace", "1g.10gb")]


def test_what_no_record_says_is_a_key_too(store: Store, tmp_path: Path) -> None:
    stored(store, tmp_path, record(1, user=None, end=None))
    assert totals(store, by=["user"])[0].key == (None,)
    assert totals(store, by=["day"])[0].key == (None,)


def test_an_unknown_key_is_refused(store: Store) -> None:
    with pytest.raises(UsageError, match=r"by colour: one of user, account"):
        totals(store, by=["user", "colour"])


def test_filters_leave_what_they_say(store: Store, tmp_path: Path) -> None:
    stored(store, tmp_path, record(1), record(2, user="grace", uid=1002))
    assert total(store, Filters(users=("grace",))).records == 1
    assert total(store, Filters(users=("1001", "grace"))).records == 2
    assert totals(store, Filters(users=("nobody",))) == []
