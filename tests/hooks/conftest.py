"""Fixtures of the hooks' tests."""

from pathlib import Path

import pytest

from tests.hooks.fakenode import FakeNode


@pytest.fixture
def node(tmp_path: Path) -> FakeNode:
    """A node with three GPUs, six gres indices, and nothing running."""
    return FakeNode(tmp_path / "node")
