"""What is taken of a record."""

import json
from typing import Any

import pytest

from slurm_mig.usage.jobstats.parts import JobPart, last_runs, parts_of
from slurm_mig.usage.store.nouns import Held
from slurm_mig.usage.store.shape import parse
from tests.usage.made import Record, mig, part, record, whole


def test_a_slice_and_its_figures() -> None:
    found = part(record(7, mig(0, 9, peak_mib=1.5, busy=0.5)))
    assert (found.cluster, found.job_id, found.node, found.start, found.end) == (
        *("simulated", 7, "n1"),
        *(1000.0, 1100.0),
    )
    (gpu,) = found.gpus
    assert (gpu.gpu_minor, gpu.gi_id, gpu.ci_id) == (0, 9, 0)
    assert (gpu.total_bytes, gpu.peak_bytes, gpu.busy) == (9728 << 20, 3 << 19, 0.5)


def test_what_was_not_measured_is_none() -> None:
    nothing, ampere = part(record(7, mig(0, 9, usage=None), mig(0, 8, busy=None))).gpus
    assert nothing.peak_bytes is nothing.busy is ampere.busy is None
    assert ampere.peak_bytes is not None
    assert part(record(7, mig(0, 9, peak_mib=None))).gpus[0].peak_bytes is None
    assert part(record(7, whole(2))).gpus[0].total_bytes is None


def test_the_activity_of_a_shared_instance_is_not_the_jobs() -> None:
    assert part(record(7, mig(0, 9, busy=0.5, shared_gi=True))).gpus[0].busy is None


def test_a_record_that_the_hooks_wrote_before_there_was_a_monitor() -> None:
    old = record(7, {key: value for key, value in mig(0, 9).items() if key != "usage"})
    assert part(old).gpus[0].peak_bytes is None


def test_records_come_as_rows_of_their_slices() -> None:
    def rows(made: Record) -> list[Held]:
        return parse(json.dumps(made).encode()).held()

    two, one = record(7, mig(0, 9), mig(0, 8)), record(8, mig(1, 9))
    nowhere, nothing = record(9, mig(0, 9), node=None), record(10, {"type": "gpu"})
    found = list(parts_of([row for made in (two, one, nowhere, nothing) for row in rows(made)]))
    assert [(each.job_id, len(each.gpus)) for each in found] == [(7, 2), (8, 1), (10, 0)]
    assert [gpu.gi_id for gpu in found[0].gpus] == [9, 8]


def of(job_id: int, **changes: Any) -> JobPart:
    return part(record(job_id, mig(0, 9), **changes))


def test_the_nodes_of_a_job_come_together() -> None:
    runs = last_runs([of(7), of(7, node="n2"), of(8), of(7, cluster="other")])
    assert {key: sorted(nodes) for key, nodes in runs.items()} == {
        ("simulated", 7): ["n1", "n2"],
        ("simulated", 8): ["n1"],
        ("other", 7): ["n1"],
    }


@pytest.mark.parametrize("order", [1, -1])
def test_only_the_last_run_of_a_requeued_job_counts(order: int) -> None:
    parts = [of(7), of(7, node="n2"), of(7, node="n3", restarts=1)]
    assert list(last_runs(parts[::order])["simulated", 7]) == ["n3"]
