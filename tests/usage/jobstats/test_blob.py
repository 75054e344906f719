"""The comment, read as jobstats reads it."""

import base64
import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.slurm.controller.accounting import HostFigures
from slurm_mig.usage.jobstats import blob
from slurm_mig.usage.jobstats.parts import GpuPart, JobPart
from tests.usage.jobstats.reader import read
from tests.usage.made import mig, part, record, whole

HOST = HostFigures(4, 8 << 30, 1 << 30, 123.456)
NOTHING = HostFigures(None, None, None, None)


def made(*records: dict[str, Any], host: HostFigures | None = None) -> blob.Blob:
    return blob.summary([part(each) for each in records], 100.4, host)


def test_jobstats_shows_every_slice_of_a_gpu_by_itself() -> None:
    of_two = made(record(7, mig(0, 9, peak_mib=1, busy=0.1234), mig(0, 11, peak_mib=2, busy=0.0)))
    shown = read(blob.encode(of_two))
    assert shown.memory == [
        ("n1", "0.11", 2 << 20, 9728 << 20),
        ("n1", "0.9", 1 << 20, 9728 << 20),
    ]
    assert shown.utilization == [("n1", "0.11", 0), ("n1", "0.9", 12.3)]
    assert (of_two["total_time"], of_two["gpus"]) == (100, 2)


def test_slices_in_one_gpu_instance_do_not_collide() -> None:
    three = made(record(7, mig(0, 1, 0), mig(0, 1, 1), mig(1, 1, 0)))
    assert sorted(three["nodes"]["n1"]["gpu_used_memory"]) == ["0.1.0", "0.1.1", "1.1"]


def test_a_whole_gpu_has_jobstats_own_key() -> None:
    assert made(record(7, whole(2, busy=0.5)))["nodes"]["n1"] == {"gpu_utilization": {"2": 50}}


def test_the_host_of_a_job_of_one_node() -> None:
    shown = read(blob.encode(made(record(7, mig(0, 9)), host=HOST)))
    assert shown.cpu == [("n1", 123.5, 4)]
    assert shown.host_memory == [("n1", 1 << 30, 8 << 30)]


def test_what_is_unknown_is_left_out() -> None:
    nothing = made(record(7, mig(0, 9, usage=None)), host=NOTHING)
    assert nothing["nodes"] == {"n1": {}}
    assert not blob.has_gpu_figures(nothing)
    some = made(record(7, mig(0, 9, peak_mib=None), mig(0, 11, busy=None)))
    assert some["nodes"]["n1"].keys() == set(blob.GPU_KEYS)
    shown = read(blob.encode(some))
    assert shown.memory is not None
    assert [gpu for _, gpu, *_ in shown.memory] == ["0.11"]
    assert shown.utilization == [("n1", "0.9", 25)]
    assert shown.cpu is shown.host_memory is None


def test_all_nodes_of_a_job_in_their_order() -> None:
    two = made(record(7, mig(0, 9), node="n2"), record(7, mig(0, 9), node="n1"))
    assert list(two["nodes"]) == ["n1", "n2"]
    assert two["gpus"] == 2


def test_the_same_figures_make_the_same_comment() -> None:
    both = {blob.encode(made(record(7, mig(0, 9)))) for _ in range(3)}
    assert len(both) == 1
    assert both.pop().startswith("JS1:H4s")  # what jobstats' own script checks for


def _place(gpu: GpuPart) -> tuple[int, int | None, int | None]:
    return gpu.gpu_minor, gpu.gi_id, None if gpu.gi_id is None else gpu.ci_id


GPUS = st.builds(
    GpuPart,
    st.integers(0, 7),
    st.none() | st.integers(1, 14),
    st.integers(0, 6),
    st.none() | st.integers(1, 1 << 38),
    st.none() | st.integers(0, 1 << 38),
    st.none() | st.floats(0, 1),
)
PARTS = st.lists(
    st.builds(
        JobPart,
        *(st.just("c"), st.just(7), st.just(0), st.sampled_from(["n1", "n2", "n3"])),
        *(st.just(0.0), st.just(9.0)),
        st.lists(GPUS, max_size=8, unique_by=_place).map(tuple),
    ),
    min_size=1,
    unique_by=lambda part: part.node,
)


@given(PARTS)
def test_whatever_there_is_jobstats_can_read_it(parts: list[JobPart]) -> None:
    one = blob.summary(parts, 9.0, None)
    assert blob.decode(blob.encode(one)) == one
    shown = read(blob.encode(one))
    known = [
        gpu
        for part in parts
        for gpu in part.gpus
        if gpu.total_bytes is not None and gpu.peak_bytes is not None
    ]
    keys = sum(len(node.get("gpu_used_memory", {})) for node in one["nodes"].values())
    assert keys == len(known)  # none collides, and none is made up
    if shown.memory is not None:
        assert sorted(row[2] for row in shown.memory) == sorted(
            gpu.peak_bytes or 0 for gpu in known
        )


def packed(value: object) -> str:
    return zipped(json.dumps(value).encode())


def zipped(data: bytes) -> str:
    """The same at any time: a test's name may have it."""
    return blob.PREFIX + base64.b64encode(gzip.compress(data, mtime=0)).decode()


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "JS1:",
        "JS1:Short",
        "JS1:None",
        "JS1:h4siaaaa",
        "a note of the operator's",
        packed([]),
        packed({"nodes": []}),
        packed({"nodes": {"n1": 3}}),
        packed({"nodes": {}})[:-8],
        packed({"nodes": {}}).removeprefix("JS1:"),
        blob.PREFIX + base64.b64encode(b"no gzip").decode(),
        zipped(b"no json"),
        blob.PREFIX + base64.b64encode(zlib.compress(b"{}")).decode(),
        zipped(b" " * (5 << 20)),
        zipped(b"[" * 100_000),
    ],
)
def test_what_is_no_summary(comment: str) -> None:
    assert blob.decode(comment) is None


def test_ours_go_into_one_that_jobstats_made() -> None:
    old = {
        "nodes": {
            "n1": {
                **{"total_memory": 9, "used_memory": 3, "total_time": 5.5, "cpus": 2},
                **{"gpu_total_memory": {"0": 5}, "gpu_used_memory": {"0": 3}},
            },
            "n9": {"cpus": 1},
        },
        "total_time": 99,
        "gpus": 1,
    }
    new = blob.merged(old, made(record(7, mig(0, 9), mig(0, 11)), host=HOST))
    assert new["nodes"]["n9"] == {"cpus": 1}
    assert (new["total_time"], new["gpus"]) == (99, 1)
    n1 = new["nodes"]["n1"]
    assert (n1["total_memory"], n1["used_memory"], n1["total_time"], n1["cpus"]) == (9, 3, 5.5, 2)
    assert sorted(n1["gpu_used_memory"]) == sorted(n1["gpu_total_memory"]) == ["0.11", "0.9"]
    assert "gpu_utilization" in n1
    assert blob.merged(new, made(record(7, mig(0, 9), mig(0, 11)), host=HOST)) == new


def test_nothing_known_takes_nothing_away() -> None:
    old = made(record(7, mig(0, 9)), host=HOST)
    assert blob.merged(old, made(record(7, mig(0, 9, usage=None)))) == old
