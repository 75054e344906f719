"""Lines from other machines: either a record that a database takes, or damaged, never a bug."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slurm_mig.usage import record as own
from slurm_mig.usage.store.collect import collect
from slurm_mig.usage.store.database import opened
from slurm_mig.usage.store.nouns import Parsed, Slice
from slurm_mig.usage.store.query import rows
from slurm_mig.usage.store.shape import MAX_LINE, Damaged, Newer, parse
from tests.usage.store.made import activity, line, record, slice_, usage


def parsed(**changes: Any) -> Parsed:
    return parse(line(1, **changes))


def why(**changes: Any) -> str:
    with pytest.raises(Damaged) as caught:
        parsed(**changes)
    return str(caught.value)


def test_the_fields_of_a_job() -> None:
    job = parsed(device_check={"result": "exact", "extra": [], "missing": [], "why": None}).job
    given = record()
    for name in set(job._fields) - {"device_check"}:
        assert getattr(job, name) == given[name], name
    assert job.device_check == "exact"


def test_the_fields_of_a_slice() -> None:
    one = parsed(slices=[slice_(), slice_()]).slices[1]
    given = slice_()
    for name in set(one._fields) & set(given):
        assert getattr(one, name) == given[name], name
    assert (one.position, one.placement_start, one.placement_size) == (1, 4, 1)
    assert (one.memory_method, one.memory_min_mib) == ("nvml-memory-info", 26.0)
    assert (one.memory_mean_mib, one.memory_peak_mib) == (2500.0, 5000.0)
    assert (one.processes_mean, one.processes_peak) == (1.0, 2)
    assert (one.energy_joules, one.energy_share) == (7200.0, 0.142857)
    assert (one.xids, one.ecc_sram_uncorrected) == (3, 0)


def test_each_activity_has_its_own_place() -> None:
    names = ["graphics", "sm", "occupancy", "tensor", "fp64", "fp32", "fp16", "dram_bandwidth"]
    measured = {
        name: {"min": 0.0, "mean": at / 10, "max": at / 5} for at, name in enumerate(names, 1)
    }
    given = usage(activity={**activity(0.0), **measured})
    (one,) = parsed(slices=[slice_(usage=given)]).slices
    for at, name in enumerate(names, 1):
        assert getattr(one, f"{name}_mean") == at / 10
        assert getattr(one, f"{name}_max") == at / 5


def test_a_whole_gpu_that_nobody_sampled() -> None:
    entry: own.Record = {
        "gres_index": 0,
        "type": "h100",
        "gpu_uuid": "GPU-0",
        "gpu_minor": 0,
        "gpu_name": "H100",
        "mig": None,
    }
    begun = own.opened(
        "r1",
        {"job_id": 7, "restarts": 0},
        [own.slice_identity(entry, "boot", 0)],
        start=1,
        complete=True,
    )
    (held,) = parse(json.dumps(begun).encode()).held()
    assert (held.slice.profile, held.slice.placement_start) == (None, None)
    first = Slice._fields.index("period_s")
    assert set(held.slice[first:]) == {None}
    assert (held.job.user, held.job.end, held.job.device_check) == (None, None, None)


def test_each_part_of_what_was_sampled_may_be_unknown() -> None:
    unknown = {key: None for key in usage() if key != "source"}
    (one,) = parsed(slices=[slice_(usage={"source": "monitor", **unknown})]).slices
    assert (one.memory_method, one.sm_mean, one.energy_joules, one.xids) == (None,) * 4


def test_keys_that_are_not_known_here_are_left_alone() -> None:
    assert parsed(weather="rain", slices=[slice_(colour="red")]).job.job_id == 1


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"7",
        b"[]",
        b"{",
        b'{"version":1',
        b"\xff\xfe",
        b"\0" * 40,
        b"[" * 100_000,
        b'{"version":1,"end":NaN}',
        b"1" * 10_000,
        line(1)[:-20],
        line(1) + line(2),
    ],
)
def test_what_is_no_record_is_damaged(text: bytes) -> None:
    with pytest.raises(Damaged):
        parse(text)


def test_a_later_version_is_told_apart() -> None:
    with pytest.raises(Newer, match=r"version 2: this slurm-mig reads 1"):
        parse(line(1, version=2))
    for version in (0, -1, "1", 1.0, True, None):
        assert "version" in why(version=version)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"record_id": ""}, "record_id"),
        ({"record_id": 7}, "record_id"),
        ({"job_id": None}, "job_id"),
        ({"job_id": -1}, "job_id"),
        ({"job_id": 2**63}, "job_id"),
        ({"job_id": True}, "job_id"),
        ({"job_id": 1.0}, "job_id"),
        ({"user": ["ada"]}, "user"),
        ({"user": "a" * 2000}, "user"),
        ({"user": "a\0b"}, "user"),
        ({"user": "\ud800"}, "user"),
        ({"end": "now"}, "end"),
        ({"end": -1.0}, "end"),
        ({"end": 10**400}, "end"),
        ({"duration_s": False}, "duration_s"),
        ({"complete": 1}, "complete"),
        ({"slices": None}, "slices"),
        ({"slices": {}}, "slices"),
        ({"slices": [{}] * 2000}, "slices"),
        ({"slices": [7]}, "slices"),
        ({"slices": [slice_(placement=4)]}, "placement"),
        ({"slices": [slice_(usage=[])]}, "usage"),
        ({"slices": [slice_(usage=usage(memory=5))]}, "memory"),
        ({"slices": [slice_(usage=usage(activity={"sm": 0.5}))]}, "sm"),
        ({"slices": [slice_(usage=usage(errors={"xids": [31]}))]}, "xids"),
        ({"slices": [slice_(usage=usage(errors={"xids": [{"count": 2**62}] * 4}))]}, "count"),
        ({"device_check": {"result": "perhaps"}}, "device_check"),
    ],
)
def test_a_value_of_another_kind_is_damaged_and_named(changes: dict[str, Any], name: str) -> None:
    assert name in why(**changes)


def test_a_line_that_is_too_long() -> None:
    assert "longer" in why(more="x" * MAX_LINE)


def test_letters_beyond_ascii_are_letters() -> None:
    assert parsed(user="ädá\U0001f600").job.user == "ädá\U0001f600"


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([10**400, 2**63, -1, "\0", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a record."""
    found = [path] if path else []
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        here = (*path, key)
        found += places(value, here) if isinstance(value, dict | list) else [here]
    return found


PLACES = places(record())


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), junk), min_size=1, max_size=3))
def test_whatever_stands_in_a_record_it_is_damaged_or_stored(
    changes: list[tuple[tuple[Any, ...], Any]],
) -> None:
    tree = record()
    for path, value in changes:
        put(tree, path, value)
    text = json.dumps(tree).encode()
    try:
        held = parse(text).held()
    except Damaged:
        return
    stored_as(text, held)


def put(tree: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        try:
            tree = tree[key]
        except (TypeError, KeyError, IndexError):  # an earlier change took it away
            return
    if isinstance(tree, dict):
        tree[path[-1]] = value


def stored_as(text: bytes, held: list[Any]) -> None:
    """That SQLite takes the record, and gives back the same."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        file = Path(name, "a.jsonl")
        file.write_bytes(text + b"\n")
        with opened(Path("/"), f"sqlite:///{name}/a.db", make=True) as store:
            assert collect(store, [file]).new == 1
            assert list(rows(store)) == held


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.integers(0, len(line(1))), st.integers(0, 60))
def test_bytes_in_the_middle_of_a_line_are_damaged_or_a_record(
    new: bytes, at: int, length: int
) -> None:
    text = line(1)
    try:
        assert isinstance(parse(text[:at] + new + text[at + length :]), Parsed)
    except Damaged as why:
        assert str(why)
