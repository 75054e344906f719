"""A run over many nodes, as data: what is wanted, and how far each node is. Pure.

It holds all that going on needs, the text of the configurations too. files.py has it on the disk.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from slurm_mig.reconfigure.record import TARGET
from slurm_mig.reconfigure.run import Took

WAITING: Final = "waiting"  # its wave has not begun
ORDERED: Final = "ordered"  # it has been told, or is about to be, and may be at it
READY: Final = "ready"  # its jobs have ended, those of others in its wave may not have
HELD: Final = "held"  # it waits until slurm.conf says what it has
ENDED: Final = "ended"
STAGES: Final = (WAITING, ORDERED, READY, HELD, ENDED)

DONE: Final = "done"  # as wanted
NOTHING: Final = "nothing"  # it was so already
FORMER: Final = "former"  # it failed, and is as before
DRAINED: Final = "drained"  # it failed, and stays out of service
REFUSED: Final = "refused"  # nothing was changed there
LOST: Final = "lost"  # it is not known how it is: it stays out of service
UNREACHED: Final = "unreached"  # the same, but it was never drained by us
OUTCOMES: Final = (DONE, NOTHING, FORMER, DRAINED, REFUSED, LOST, UNREACHED)
GOOD: Final = frozenset({DONE, NOTHING})
OUT: Final = frozenset({DRAINED, LOST})  # of service, by us


class NodeEntry(NamedTuple):
    """One node of a run.

    `wave` counts from 1; 0 before it has one. `attempt`: how often it was begun anew. `outcome`
    is "" before its end. `goal` is where it is held, `published` the goal that slurm.conf is known
    to have of it ("": none of this run's), and `touched` that it may have. `undo`: it is to go
    back. `way`, `gres` and `block` are what it said when it was held. `waited`: the
    jobs of others in its wave have ended too. `phase` is the last one
    that it told.
    """

    name: str
    wave: int = 0
    stage: str = WAITING
    outcome: str = ""
    attempt: int = 1
    goal: str = TARGET
    published: str = ""
    touched: bool = False
    undo: bool = False
    waited: bool = False
    way: str = ""
    gres: str = ""
    block: str = ""
    phase: str = ""
    problem: str = ""
    next_step: str = ""
    took: tuple[Took, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether it is at its end, and not as wanted."""
        return self.stage == ENDED and self.outcome not in GOOD

    @property
    def out(self) -> bool:
        """Whether this run may have it out of service."""
        return self.stage in (ORDERED, READY, HELD) or self.outcome in OUT


class WaveTook(NamedTuple):
    """How long something took that was done once for all nodes of a wave."""

    wave: int
    what: str
    seconds: float


class RunOptions(NamedTuple):
    """What was chosen for a run; as in world.Options. `engine` is how nodes are reached."""

    engine: str
    max_unavailable: int
    max_failures: int = 1
    timeout_s: float | None = None
    cancel_after_s: float | None = None
    smoke: bool | None = None


class RunRecord(NamedTuple):
    """A run. `owner` is the process that goes on with it, `host` the machine where it was begun.

    `label` names the configuration in `text`, a whole mig.yaml; with `rollback` each node goes
    back to what it had, and both are "". `problem` is why no new wave is begun ("": go on).
    `ended`: its last command came to its end, whatever became of the nodes.
    """

    run_id: str
    owner: str
    boot_id: str
    host: str
    label: str
    text: str
    rollback: bool
    options: RunOptions
    nodes: tuple[NodeEntry, ...]
    begun: float
    ended: bool = False
    problem: str = ""
    took: tuple[WaveTook, ...] = ()

    @property
    def what(self) -> str:
        """What the nodes get, for people."""
        return "what was before" if self.rollback else self.label

    @property
    def done(self) -> bool:
        """Whether every node is as wanted."""
        return all(one.stage == ENDED and one.outcome in GOOD for one in self.nodes)

    def node(self, name: str) -> NodeEntry:
        """The entry of a node of the run."""
        return next(one for one in self.nodes if one.name == name)

    def having(self, *entries: NodeEntry) -> "RunRecord":
        """The same with these entries for those of their names."""
        new = {one.name: one for one in entries}
        return self._replace(nodes=tuple(new.get(one.name, one) for one in self.nodes))


def reopened(record: RunRecord) -> RunRecord:
    """As it is taken up again: what failed is tried once more.

    A node that was ready or held is asked anew: somebody may have recovered it by hand meanwhile.
    """
    return record._replace(
        ended=False, problem="", nodes=tuple(_reopened(one) for one in record.nodes)
    )


def _reopened(one: NodeEntry) -> NodeEntry:
    if one.stage in (READY, HELD) or one.outcome in OUT:
        return one._replace(stage=ORDERED, outcome="", problem="", next_step="")
    if one.failed:  # in service as before: it waits for a wave like the others
        again = NodeEntry(one.name, attempt=one.attempt + 1)
        return again._replace(attempt=one.attempt) if one.outcome == UNREACHED else again
    return one


def failures(nodes: Iterable[NodeEntry]) -> int:
    """How many have failed."""
    return sum(one.failed for one in nodes)
