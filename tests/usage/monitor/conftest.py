"""Fixtures of the monitor's tests."""

from pathlib import Path
from typing import Any

import pytest

from tests.usage.monitor.scene import MakeScene, Scene


@pytest.fixture
def scene(tmp_path: Path) -> MakeScene:
    """scene("h100-80gb=balanced", …, period_s=1.0): a node with these GPUs, and a monitor."""
    count = iter(range(1000))

    def make(*layouts: str, **settings: Any) -> Scene:
        return Scene(tmp_path / f"node{next(count)}", *layouts, **settings)

    return make
