"""What is taken of a record."""

from typing import Any

import pytest

from slurm_mig.usage.jobstats.parts import JobPart, last_runs, part_of
from tests.usage.made import mig, record, whole


def test_a_slice_and_its_figures() -> None:
    part = part_of(record(7, mig(0, 9, peak_mib=1.5, busy=0.5)))
    assert (part.cluster, part.job_id, part.node, part.start, part.end) == (
        *("simulated", 7, "n1"),
        *(1000.0, 1100.0),
    )
    (gpu,) = part.gpus
    assert (gpu.gpu_minor, gpu.gi_id, gpu.ci_id) == (0, 9, 0)
    assert (gpu.total_bytes, gpu.peak_bytes, gpu.busy) == (9728 << 20, 3 << 19, 0.5)


def test_what_was_not_measured_is_none() -> None:
    nothing, ampere = part_of(record(7, mig(0, 9, usage=None), mig(0, 8, busy=None))).gpus
    assert nothing.peak_bytes is nothing.busy is ampere.busy is None
    assert ampere.peak_bytes is not None
    assert part_of(record(7, mig(0, 9, peak_mib=None))).gpus[0].peak_bytes is None
    assert part_of(record(7, whole(2))).gpus[0].total_bytes is None


def test_the_activity_of_a_shared_instance_is_not_the_jobs() -> None:
    assert part_of(record(7, mig(0, 9, busy=0.5, shared_gi=True))).gpus[0].busy is None


def test_a_record_that_the_hooks_wrote_before_there_was_a_monitor() -> None:
    old = record(7, {key: value for key, value in mig(0, 9).items() if key != "usage"})
    assert part_of(old).gpus[0].peak_bytes is None


@pytest.mark.parametrize(
    "damage",
    [
        {"job_id": "7"},
        {"job_id": True},
        {"slices": None},
        {"slices": [3]},
        {"slices": [{"gpu_minor": 0}]},
        {"restarts": "x"},
    ],
)
def test_what_is_no_record(damage: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a usage record"):
        part_of({**record(7, mig(0, 9)), **damage})
    with pytest.raises(ValueError, match="not a usage record"):
        part_of({})


def of(job_id: int, **changes: Any) -> JobPart:
    return part_of(record(job_id, mig(0, 9), **changes))


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
