"""The usage record, pure."""

import json

import pytest

from slurm_mig.usage import record

ENTRY: record.Record = {
    "gres_index": 1,
    "type": "1g",
    "gpu_uuid": "GPU-0",
    "gpu_minor": 0,
    "gpu_name": "H100",
    "mig": {"uuid": "MIG-0", "profile": "1g.10gb", "gi_id": 9, "ci_id": 0, "placement": None},
}
JOB: record.Record = {"job_id": 7, "restarts": 0, "uid": 1001, "node": "n1", "secret": "x"}


def opened() -> record.Record:
    return record.opened(
        "r1", JOB, [record.slice_identity(ENTRY, "boot", 3)], start=10.0, complete=True
    )


def test_what_is_not_known_is_none() -> None:
    begun = opened()
    assert begun["user"] is begun["end"] is begun["exit_code"] is begun["leftovers"] is None
    assert "secret" not in begun


def test_the_identity_of_a_slice() -> None:
    one = record.slice_identity(ENTRY, "boot", 3)
    assert (one["mig_uuid"], one["gi_id"], one["generation"]) == ("MIG-0", 9, 3)
    assert one["placement"] is one["memory_mib"] is one["repartitioned"] is None


def test_a_whole_gpu_has_no_instance() -> None:
    one = record.slice_identity({**ENTRY, "mig": None}, "boot", 0)
    assert one["mig_uuid"] is one["gi_id"] is one["profile"] is None


@pytest.mark.parametrize("mark", [True, False, None])
def test_closing_keeps_the_beginning(mark: bool | None) -> None:
    begun = opened()
    done = record.closed(
        begun,
        end=12.0,
        duration_s=2.0,
        exit_code=0,
        signal=9,
        exit_unknown_why=None,
        repartitioned=[mark],
        leftovers=0,
    )
    assert begun["end"] is None  # another dict
    slices = done["slices"]
    assert isinstance(slices, list)
    assert slices[0]["repartitioned"] is mark
    assert (done["start"], done["end"], done["signal"]) == (10.0, 12.0, 9)
    assert list(done) == list(begun)  # the order of a line's fields never changes
    assert json.loads(json.dumps(done)) == done


def test_the_number_of_a_job_stands_first_in_its_line() -> None:
    # closing.is_known looks for these bytes.
    assert record.JOB_KEYS[:2] == ("job_id", "restarts")
