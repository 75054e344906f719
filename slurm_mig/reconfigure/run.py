"""A reconfigure under way: its record, on the disk before it is acted upon, and what is told."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from slurm_mig.errors import NoSuchNode
from slurm_mig.reconfigure import log
from slurm_mig.reconfigure import record as records
from slurm_mig.reconfigure.record import Record
from slurm_mig.reconfigure.world import Event, Held, Types, World
from slurm_mig.slurm.controller.client import NodeState


class Took(NamedTuple):
    """How long one phase took, and on which way."""

    phase: str
    goal: str
    seconds: float


class Run:
    """`took`, `remarks`: what was done so far, and what is worth to be known of it.

    `empty_since`: by the world's clock, when the node was first seen drained and without the jobs
    that are waited for; None: it is not so, or nobody has looked. `types`: what was verified.
    """

    def __init__(self, world: World, record: Record) -> None:
        self.world = world
        self.record = record
        self.took: list[Took] = []
        self.remarks: list[str] = []
        self.empty_since: float | None = None
        self.types: Types | None = None

    def note(self, **changes: Any) -> None:  # noqa: ANN401
        """Write down what is true from now on, or about to be. Raises JournalError."""
        changed = self.record._replace(**changes)
        records.write(self.world.root, changed)
        self.record = changed

    def phase(self, name: str, act: Callable[["Run"], None]) -> None:
        """Do one phase; written down before it and after it."""
        self.note(phase=name, ended=False)
        began = self.world.clock()
        self._tell("begins")
        try:
            act(self)
        except BaseException as why:
            state = "held" if isinstance(why, Held) else "failed"
            self._tell(state, str(why) or type(why).__name__, self.world.clock() - began)
            raise
        seconds = self.world.clock() - began
        self.took.append(Took(name, self.record.goal, seconds))
        if name != "COMMIT":
            self.note(ended=True)
        self._tell("ended", seconds=seconds)

    def start_words(self) -> Mapping[str, str]:
        """What slurmd is to be started with."""
        return self.world.publisher.start_words(self.record.notes, self.reason)

    @property
    def reason(self) -> str:
        """Why the node is drained while it is reconfigured: somebody else's reason stays."""
        return self.record.theirs or self.record.reason

    def going_on(self, text: str) -> None:
        """Tell what the phase is at."""
        self._tell("goes on", text)

    def remark(self, text: str) -> None:
        """Something to be known, that stops nothing."""
        self.remarks.append(text)
        self._tell("goes on", text)

    def node(self) -> NodeState | None:
        """The node as slurmctld has it; None while it is deleted (a dynamic one)."""
        try:
            return self.world.client.node(self.record.node)
        except NoSuchNode:
            return None

    def _tell(self, state: str, text: str = "", seconds: float = 0.0) -> None:
        event = Event(self.record.phase, self.record.goal, state, text, seconds)
        log.write(self.world.root, self.record.node, self.record.run_id, event)
        self.world.tell(event)


def one_line(text: str, longest: int = 2000) -> str:
    """As it can be written down, or said as a reason."""
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
