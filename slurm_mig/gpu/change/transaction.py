"""What an apply or a recover is given, and what it answers."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, NamedTuple

from slurm_mig.gpu.change.bounded import Progress, Runner, Watch, watched
from slurm_mig.gpu.change.reset import ResetImpossible
from slurm_mig.gpu.nvml.partition_adapter import partition_session
from slurm_mig.gpu.nvml.partition_port import PartitionNvml

# How an apply or a recover ends. Only after the last two is the journal still there.
NOTHING: Final = "nothing"  # there was nothing to do
DONE: Final = "done"  # every GPU is as wanted, verified and committed
FORMER: Final = "former"  # it failed; every GPU is as before, verified
REBOOT: Final = "reboot"  # a MIG mode waits for a reboot, then `recover` goes on
STUCK: Final = "stuck"  # neither could be reached: `gpus` says what is where


class Bounds(NamedTuple):
    """How many seconds a step may take until its process is killed.

    `reset_s` has to be longer than the site's own bound of a reset.
    """

    call_s: float = 60.0
    reset_s: float = 180.0
    nodes_s: float = 60.0


def _quiet(_: Progress) -> None:
    return None


def _no_reset(pci_bus_id: str) -> None:
    raise ResetImpossible(f"no command to reset GPU {pci_bus_id} is configured")


class Ports(NamedTuple):
    """The outside world. While they work, no NVML session may be open in the caller.

    `reset` resets the GPU of a PCI bus id, or raises SlurmMigError: ResetImpossible where only a
    reboot helps, else all go back. `make_nodes` makes the device
    nodes of the slices that are there now, or raises. `watch` hears each step before it is made.
    `run` says in which process (bounded.py); nothing here prints.
    """

    root: Path
    reset: Callable[[str], object] = _no_reset
    make_nodes: Callable[[Path], object] = lambda _: None
    watch: Watch = _quiet
    session: Callable[[], AbstractContextManager[PartitionNvml]] = partition_session
    clock: Callable[[], float] = time.monotonic
    bounds: Bounds = Bounds()
    run: Runner = watched


class Took(NamedTuple):
    """How long one step took."""

    what: str
    seconds: float


class GpuEnd(NamedTuple):
    """What one GPU is at the end: `holds` in words, "unknown" where it could not be looked at."""

    gpu_uuid: str
    holds: str


class Result(NamedTuple):
    """How it ended. `problem` is one line, empty when all went well: what went wrong, and where.

    `next_step` says what to do now, empty when nothing is. `remarks` are no failures: GPUs of
    others that did not answer.
    """

    outcome: str
    problem: str = ""
    next_step: str = ""
    gpus: tuple[GpuEnd, ...] = ()
    remarks: tuple[str, ...] = ()
    took: tuple[Took, ...] = ()
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether the GPUs are as wanted."""
        return self.outcome in (NOTHING, DONE)
