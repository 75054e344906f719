"""Fixtures for all tests: simulated machines, made of the library that this checkout builds."""

import fcntl
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pynvml
import pytest

from tests.gpu.changing import make_scene as make_scene
from tests.sim import library
from tests.sim.api import CHECKOUT, Sim


@pytest.fixture(scope="session")
def sim_library() -> Path:
    """The simulated libnvidia-ml.so.1, built from the sources as they are."""
    build = library.FOLDER
    build.mkdir(parents=True, exist_ok=True)
    with (build / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several pytest-xdist workers want it at once
        subprocess.run(["make", "-s", "sim"], cwd=CHECKOUT, check=True)
    return build / "libnvidia-ml.so.1"


@pytest.fixture
def new_sim(sim_library: Path, tmp_path: Path) -> Callable[..., Sim]:
    """`new_sim("h100-80gb=balanced", ..., gap=True)`: a machine of its own for this test."""
    count = iter(range(1000))

    def new(*gpus: str, **options: Any) -> Sim:
        return Sim.new(tmp_path / f"sim{next(count)}", gpus, **options)

    return new


@pytest.fixture
def open_nvml(
    new_sim: Callable[..., Sim], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Sim]]:
    """As `new_sim`, with nvidia-ml-py initialised on that machine in this process."""
    started = []

    def start(*gpus: str, **options: Any) -> Sim:
        sim = new_sim(*gpus, **options)
        monkeypatch.setenv("MIGSIM_DIR", str(sim.dir))
        library.load()
        pynvml.nvmlInit()
        started.append(os.getpid())
        return sim

    yield start
    for _ in started:
        pynvml.nvmlShutdown()


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, as /run is, for tests that write all the time: no disk to wait for."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else tmp_path) as folder:
        yield Path(folder)
