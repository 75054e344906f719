"""A small machine that most tests look at."""

from pathlib import Path

import pytest

from tests.fakes import FakeGpu, FakeNvml, slice_of
from tests.gpu.driver_tree import lay_out


@pytest.fixture
def nvml() -> FakeNvml:
    """One H100 with a 3g slice and a 2g GPU instance shared by two compute instances."""
    shared = slice_of("2g.20gb", 0, 2, 3, "1c.2g.20gb", "1c.2g.20gb")
    return FakeNvml([FakeGpu((slice_of("3g.40gb", 4, 4, 1), shared))])


@pytest.fixture
def root(tmp_path: Path, nvml: FakeNvml) -> Path:
    """That machine's /proc and /dev, all in order."""
    return lay_out(tmp_path, nvml)
