"""Machines for the judges: clients of NVML that were not written here."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pynvml
import pytest

from tests.sim import library
from tests.sim.api import Sim


@pytest.fixture
def new_sim(tmp_path: Path) -> Callable[..., Sim]:
    """A machine with these GPUs, each `MODEL` or `MODEL=LAYOUT`; options as of Sim.new."""

    def new(*gpus: str, **options: object) -> Sim:
        return Sim.new(tmp_path / "sim", gpus, **options)  # type: ignore[arg-type]

    return new


@pytest.fixture
def open_nvml(
    new_sim: Callable[..., Sim], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Sim]]:
    """The same, with nvidia-ml-py initialised on it in this process."""
    sessions = []

    def open_session(*gpus: str, **options: object) -> Sim:
        sim = new_sim(*gpus, **options)
        library.load()
        monkeypatch.setenv("MIGSIM_DIR", str(sim.dir))
        pynvml.nvmlInit()
        sessions.append(sim)
        return sim

    yield open_session
    for _ in sessions:
        pynvml.nvmlShutdown()
