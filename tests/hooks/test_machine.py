"""What of a slice is there, and what is in its place."""

from pathlib import Path

import pytest

from slurm_mig.hooks import gres_map, machine
from slurm_mig.hooks.slices import Slice
from tests.hooks.fakenode import CAPS_MAJOR, FakeNode

CAPABILITY = "proc/driver/nvidia/capabilities/gpu0/mig/gi9"


def problems(node: FakeNode, gres_index: int = 1) -> list[str]:
    return machine.problems(str(node.root), (slice_of(node, gres_index),))


def slice_of(node: FakeNode, gres_index: int = 1) -> Slice:
    return gres_map.load(str(node.root)).slices[gres_index]


@pytest.mark.parametrize("part", ["access", "ci0/access"])
def test_an_instance_that_is_gone(node: FakeNode, part: str) -> None:
    (node.root / CAPABILITY / part).unlink()
    (line,) = problems(node)
    assert "the slice is gone; run `slurm-mig gres-map`" in line
    assert machine.is_gone(str(node.root), slice_of(node))


def test_an_instance_with_another_minor(node: FakeNode) -> None:
    (node.root / CAPABILITY / "ci0/access").write_text("DeviceFileMinor: 4242\n")
    (line,) = problems(node)
    assert "says minor 4242, not 85" in line


def test_an_access_file_that_says_nothing(node: FakeNode) -> None:
    (node.root / CAPABILITY / "access").write_text("")
    (line,) = problems(node)
    assert "says no minor" in line


def cap(node: FakeNode) -> Path:
    return node.root / "dev/nvidia-caps/nvidia-cap85"


def test_device_files(node: FakeNode) -> None:
    cap(node).unlink()
    assert ["No such file" in line for line in problems(node)] == [True]
    cap(node).symlink_to("nvidia-cap84")
    assert ["no character device" in line for line in problems(node)] == [True]
    cap(node).unlink()
    node.mknod("/dev/nvidia-caps/nvidia-cap85", CAPS_MAJOR, 86)
    wrong = f"{CAPS_MAJOR}:86, not {CAPS_MAJOR}:85"
    assert [wrong in line for line in problems(node)] == [True]


def test_a_whole_gpu_needs_only_its_file(node: FakeNode) -> None:
    assert problems(node, 5) == []
    (node.root / "dev/nvidia2").unlink()
    assert len(problems(node, 5)) == 1
