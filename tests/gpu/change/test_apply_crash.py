"""What surrounds the transaction, killed at its lines: then recover, and all is in order.

The transaction itself is killed at every NVML call in tests/test_crash.py.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from slurm_mig.gpu.change import bounded, journal
from slurm_mig.gpu.change.apply import run, run_recover
from slurm_mig.gpu.change.nodelock import only_one
from slurm_mig.gpu.change.prepare import Request
from tests.gpu.applying import Here, here, layout, request, site
from tests.gpu.daemons import Daemons
from tests.sim.api import Sim
from tests.sim.truth import slices

DCGM, NVSM = "nvidia-dcgm.service", "nvsm.service"
AROUND = {
    f"slurm_mig.gpu.change.{name}"
    for name in ("apply", "clients", "capnodes", "nodelock", "prepare")
}
STEP = 5  # every fifth line: some sixty deaths


@pytest.fixture
def machine(new_sim: Callable[..., Sim], monkeypatch: pytest.MonkeyPatch) -> Here:
    return here(new_sim, monkeypatch)


def dies(act: Callable[[], object], line: int) -> bool:
    """Do it in a process that kills itself, as by kill -9, at the n-th line of those modules."""
    pid = os.fork()
    if pid == 0:
        _act(act, line)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the child failed by itself"
    return os.WIFSIGNALED(status)


def _act(act: Callable[[], object], line: int) -> None:
    left = line

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if frame.f_globals.get("__name__") not in AROUND:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    code = 1
    try:
        sys.settrace(trace)
        act()
        code = 0
    finally:
        os._exit(code)


def again(sim: Sim, state: bytes, daemons: Daemons) -> None:
    """Back to the beginning: GPUs, files, daemons."""
    with (sim.dir / "state").open("r+b") as file:
        file.write(state)
    sim.show()  # which brings the capabilities tree up to date
    for folder in ("var", "run", "dev/nvidia-caps"):
        shutil.rmtree(sim.root / folder, ignore_errors=True)
    for unit in (DCGM, NVSM):
        (daemons.folder / f"{unit}.running").touch()


def deaths(sim: Sim, daemons: Daemons, act: Callable[[], object]) -> Iterator[int]:
    state, line = (sim.dir / "state").read_bytes(), 1
    while True:
        again(sim, state, daemons)
        if not dies(act, line):
            return
        yield line
        line += STEP


def in_order(sim: Sim, daemons: Daemons, line: int) -> None:
    """Nothing is open; the GPU is the one or the other, and what lives has its nodes."""
    where = f"killed at line {line}"
    assert daemons.running() == {DCGM, NVSM}, where
    assert layout(sim) in ("3g.40gb@0/3g.40gb@4", "7g.80gb@0"), where
    nodes = [sim.root / path.lstrip("/") for mig in slices(sim) for path in mig.files]
    assert all(node.is_char_device() for node in nodes), where
    assert journal.read(sim.root) is None, where
    left = {path.name for path in (sim.root / "run/slurm-mig").iterdir()}
    assert not any("stopped" in name and not name.startswith(".") for name in left), where
    with only_one(sim.root, 0):
        pass


def test_an_apply_killed_anywhere_around_the_transaction(machine: Here, tmp_path: Path) -> None:
    sim = machine("h100-80gb=2x3g.40gb", nodes=False)
    daemons = Daemons(tmp_path / "d", DCGM, NVSM)
    settings = daemons.settings._replace(reset_command=site(sim).reset_command)
    # All in one process: so that it dies in what a worker does, too.
    asked: Request = request(sim, settings, gpu0="7g.80gb")._replace(run=bounded.here)
    count = 0
    for line in deaths(sim, daemons, lambda: run(asked)):
        run_recover(asked)
        in_order(sim, daemons, line)
        count += 1
    in_order(sim, daemons, 0)
    assert layout(sim) == "7g.80gb@0"
    assert count > 20


def test_a_recover_killed_anywhere_is_begun_anew(machine: Here, tmp_path: Path) -> None:
    sim = machine("h100-80gb=2x3g.40gb", nodes=False)
    daemons = Daemons(tmp_path / "d", DCGM, NVSM)
    settings = daemons.settings._replace(reset_command=site(sim).reset_command)
    asked: Request = request(sim, settings, gpu0="7g.80gb")._replace(run=bounded.here)

    def interrupted() -> None:
        """An apply that is killed when it has destroyed all, then the recover that is to die."""
        sim.fault("nvmlDeviceCreateGpuInstanceWithPlacement", kill=True)
        pid = os.fork()
        if pid == 0:
            sys.settrace(None)
            run(asked)
            os._exit(0)
        os.waitpid(pid, 0)
        sim.clear_faults()
        run_recover(asked)

    count = 0
    for line in deaths(sim, daemons, interrupted):
        sim.clear_faults()
        run_recover(asked)
        in_order(sim, daemons, line)
        count += 1
    in_order(sim, daemons, 0)
    assert count > 10
