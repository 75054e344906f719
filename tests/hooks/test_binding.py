"""The job environment against the gres map."""

import json
from pathlib import Path

import pytest

from slurm_mig.errors import HookError
from slurm_mig.hooks import binding, gres_map
from slurm_mig.hooks.slices import GresMap
from tests.hooks.fakenode import FakeNode


@pytest.fixture
def the_map(node: FakeNode) -> GresMap:
    return gres_map.load(str(node.root))


def indices(found: binding.Binding) -> list[int]:
    return [one.gres_index for one in found.slices]


@pytest.mark.parametrize(
    ("gpus", "wanted"),
    [
        ("0", [0]),
        ("0,2", [0, 2]),
        ("0-2", [0, 1, 2]),
        ("2,0-1,5", [0, 1, 2, 5]),
        ("1,1,1-1", [1]),
        ("MIG-00000000-0000-0000-0000-000000000003", [3]),
        ("GPU-00000000-0000-0000-0000-000000000002,1", [1, 5]),
    ],
)
def test_lists(the_map: GresMap, gpus: str, wanted: list[int]) -> None:
    assert indices(binding.from_environment(gpus, the_map)) == wanted


@pytest.mark.parametrize(
    "gpus",
    ["", ",", "0,", "6", "0-6", "2-1", "-1", "1-", "0x1", "1 ", "１", "99999999999", "MIG-unknown",
     "GPU-00000000-0000-0000-0000-000000000000", "0;reboot", "1" * 9000],
)  # fmt: skip
def test_what_is_no_list_of_this_map(the_map: GresMap, gpus: str) -> None:
    with pytest.raises(HookError, match="SLURM_JOB_GPUS"):
        binding.from_environment(gpus, the_map)


def test_two_types_leave_doubt_outside_the_job(the_map: GresMap) -> None:
    assert not binding.from_environment("1", the_map).complete


def test_one_type_leaves_none(node: FakeNode) -> None:
    gres = [{**entry, "gres_index": at} for at, entry in enumerate(node.gres[1:3])]
    one_type = gres_map.parse(json.dumps({**node.map, "gres": gres}))
    assert binding.from_environment("1", one_type).complete


def test_inside_the_job_the_other_type_is_found(the_map: GresMap) -> None:
    found = binding.from_opening("2", the_map, frozenset({0, 2}))
    assert (indices(found), found.complete, found.foreign) == ([0, 2], True, ())


def test_a_second_slice_of_the_last_type_is_a_breach(the_map: GresMap) -> None:
    found = binding.from_opening("2", the_map, frozenset({1, 2}))
    assert indices(found) == [2]
    assert [one.gres_index for one in found.foreign] == [1]


def test_a_slice_that_does_not_open(the_map: GresMap) -> None:
    with pytest.raises(HookError, match=r"cannot open gpu0\.gi9\.ci0"):
        binding.from_opening("1", the_map, frozenset({0}))


def test_names_and_own_files(the_map: GresMap, tmp_path: Path) -> None:
    names = [one.name for one in the_map.slices]
    assert names[0] == "gpu0.gi1.ci0"
    assert names[-1] == "gpu2"
    assert [len(one.own_files) for one in the_map.slices] == [2, 2, 2, 2, 2, 1]
