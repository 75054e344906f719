"""Fixtures of the hooks' tests."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hooks.fakenode import FakeNode


@pytest.fixture
def node(tmp_path: Path) -> FakeNode:
    """A node with three GPUs, six gres indices, and nothing running."""
    return FakeNode(tmp_path / "node")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, as /run is, for tests of hundreds of hooks: no disk to wait for."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else tmp_path) as folder:
        yield Path(folder)
