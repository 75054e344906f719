"""What a test job looks at, in this process; tests/reconfigure/test_trials.py runs the script."""

from pathlib import Path

import pytest

from slurm_mig.errors import HookError
from slurm_mig.hooks.trial import look
from tests.hooks.fakenode import FakeNode


@pytest.fixture
def node(memory: Path) -> FakeNode:
    return FakeNode(memory)


def test_what_can_be_opened_counts_and_not_what_is_told(node: FakeNode) -> None:
    for file in node.gres[0]["files"][1:]:
        (node.root / file["path"].lstrip("/")).unlink()
    found = look(str(node.root), {b"SLURM_JOB_GPUS": b"0", b"CUDA_VISIBLE_DEVICES": b"MIG-x,MIG-y"})
    assert found == {"opened": [1, 2, 3, 4, 5], "visible": ["MIG-x", "MIG-y"]}


def test_of_two_compute_instances_each_has_its_own_file(node: FakeNode) -> None:
    (node.root / node.gres[4]["files"][2]["path"].lstrip("/")).unlink()
    assert look(str(node.root), {})["opened"] == [0, 1, 2, 3, 5]


@pytest.mark.parametrize(
    ("gpus", "opened"), [(b"3", [3]), (b"", []), (b"1,0", [1, 0]), (b"x,2", [2])]
)
def test_unconstrained_jobs_are_believed(node: FakeNode, gpus: bytes, opened: list[int]) -> None:
    node.write_map(constrained=False)
    assert look(str(node.root), {b"SLURM_JOB_GPUS": gpus})["opened"] == opened


def test_where_nobody_knows_it_is_tried(node: FakeNode) -> None:
    node.write_map(constrained=None)
    assert look(str(node.root), {b"SLURM_JOB_GPUS": b"0"})["opened"] == [0, 1, 2, 3, 4, 5]


def test_no_map(node: FakeNode) -> None:
    (node.run / "gres-map.json").unlink()
    with pytest.raises(HookError, match="is missing"):
        look(str(node.root), {})
