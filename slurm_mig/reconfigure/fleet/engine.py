"""How a wave's nodes are brought to their ends: the port, and what it works on.

Two stand behind it: one that reaches every node (reached.py), and Slurm's own reboots. Which one
a run has, its record says (`options.engine`), so that the same one goes on with it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from slurm_mig.reconfigure.fleet import files
from slurm_mig.reconfigure.fleet.record import ENDED, NodeEntry, RunRecord, WaveTook
from slurm_mig.slurm.controller.client import SlurmClient


class FleetEvent(NamedTuple):
    """What is told of a run: a node's phase as in world.Event, or, without a node, its wave's."""

    node: str
    wave: int
    phase: str
    goal: str
    state: str  # "begins", "goes on", "held", "ended", "failed"
    text: str = ""
    seconds: float = 0.0


def _quiet(_: FleetEvent) -> None:
    return None


class FleetWorld(NamedTuple):
    """What a run needs of the machine where it is conducted."""

    root: Path
    client: SlurmClient
    tell: Callable[[FleetEvent], object] = _quiet
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep


class Look(NamedTuple):
    """What a node would do, as far as it was looked at: the object that the member told.

    `problem` says why nothing is known; then `told` is empty.
    """

    node: str
    told: Mapping[str, Any]
    problem: str = ""


_SHOWN_AFTER_S = 0.5


class FleetRun:
    """A run under way: its record, on the disk before it is acted upon."""

    def __init__(self, world: FleetWorld, record: RunRecord) -> None:
        self.world, self.record = world, record
        self.remarks: list[str] = []
        self._written = world.clock()

    def note(self, *entries: NodeEntry, **changes: Any) -> None:  # noqa: ANN401
        """Write down what is true from now on, or about to be. Raises JournalError."""
        changed = self.record.having(*entries)._replace(**changes)
        files.write(self.world.root, changed)
        self.record, self._written = changed, self.world.clock()

    def phase(self, node: str, phase: str) -> None:
        """What a node is at: for people who look, so it is not written down each time."""
        self.record = self.record.having(self.record.node(node)._replace(phase=phase))
        if self.world.clock() > self._written + _SHOWN_AFTER_S:
            self.note()

    def remark(self, node: str, text: str) -> None:
        """Something to be known, that stops nothing."""
        self.remarks.append(f"{node}: {text}")

    def end(self, node: str, outcome: str, problem: str = "", next_step: str = "") -> None:
        """A node is at its end, whatever that is."""
        entry = self.record.node(node)._replace(
            stage=ENDED, outcome=outcome, problem=problem, next_step=next_step
        )
        self.note(entry)

    def nodes(self, names: Sequence[str], *stages: str) -> list[NodeEntry]:
        """The entries of those of these nodes that are in one of these stages."""
        found = (self.record.node(name) for name in names)
        return [one for one in found if one.stage in stages]

    def took(self, wave: int, what: str, seconds: float) -> None:
        """Note how long something took, for the summary; written down with what comes next."""
        taken = (*self.record.took, WaveTook(wave, what, seconds))
        self.record = self.record._replace(took=taken)


class Engine(Protocol):
    """Brings nodes to their ends."""

    def carry(self, run: FleetRun, names: Sequence[str]) -> None:
        """Bring these nodes of the run, all ORDERED, to their ends: each is ENDED afterwards.

        Entered again with those that are not, after whatever ended it. What must stop the run
        is noted as its `problem`. Raises JournalError where nothing can be written down any
        more; KeyboardInterrupt leaves everything as it is.
        """

    def look(self, record: RunRecord, names: Sequence[str]) -> list[Look]:
        """What each of these nodes would do. Changes nothing."""
