"""A wave whose nodes are reached, one by one: they are ordered, held, published, ordered again.

    ordered     each drains and waits for its jobs, while its slurmd goes on
    ordered     when all are ready: each repartitions, and is held before Slurm is told
    published   together, when all of the wave are held or at their end
    ordered     each starts its slurmd, holds it against slurmctld, and is given back

One that fails goes back by itself; where Slurm had been told already, it is held once more, and
those of the wave are published back together. One that is not reached any more stays drained.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from slurm_mig.errors import Refused, SlurmMigError
from slurm_mig.reconfigure import log
from slurm_mig.reconfigure.fleet import unanswered
from slurm_mig.reconfigure.fleet.engine import FleetEvent, FleetRun, Look
from slurm_mig.reconfigure.fleet.members import Members
from slurm_mig.reconfigure.fleet.record import (
    ENDED,
    GOOD,
    HELD,
    ORDERED,
    READY,
    NodeEntry,
    RunRecord,
)
from slurm_mig.reconfigure.fleet.wire import HELD as IS_HELD
from slurm_mig.reconfigure.fleet.wire import READY as IS_READY
from slurm_mig.reconfigure.fleet.wire import Order, Report
from slurm_mig.reconfigure.record import TARGET
from slurm_mig.reconfigure.run import one_line
from slurm_mig.reconfigure.world import Event
from slurm_mig.slurm.controller.client import NodeState

NAME: Final = "reach"
_ROUNDS = 4  # to the target, published, back, published
_SLACK_S = 2 * 3600.0  # for all that a member does beside waiting for jobs


class Publishes(Protocol):
    """Tells Slurm of several nodes at once (publishing.WavePublisher)."""

    def begin(self, name: str) -> None:
        """A wave begins."""

    def publish(self, name: str, held: Sequence[NodeEntry]) -> None:
        """Raises Refused where nothing was written, SlurmMigError later."""

    def end(self, name: str) -> None:
        """It is at its end."""


class ReachEngine:
    """As engine.Engine."""

    def __init__(self, members: Members, publisher: Publishes) -> None:
        self._members, self._publisher = members, publisher

    def look(self, record: RunRecord, names: Sequence[str]) -> list[Look]:
        """As the port."""
        orders = {name: order_of(record, record.node(name)) for name in names}
        return self._members.look({name: one._replace(look=True) for name, one in orders.items()})

    def carry(self, run: FleetRun, names: Sequence[str]) -> None:
        """As the port."""
        name = f"{run.record.run_id}.fleet"
        self._publisher.begin(name)
        for _ in range(_ROUNDS):
            if not (ordered := run.nodes(names, ORDERED)):
                break
            self._order(run, ordered, alone=len(names) == 1)
            if ready := run.nodes(names, READY):
                run.note(*(one._replace(stage=ORDERED, waited=True) for one in ready))
                self._order(run, run.nodes(names, ORDERED), alone=True)
            if held := run.nodes(names, HELD):
                self._publish(run, name, held)
        for entry in run.nodes(names, ORDERED, READY, HELD):
            unanswered.stays(run, entry, "it came to no end")
        self._publisher.end(name)

    def _order(self, run: FleetRun, entries: Sequence[NodeEntry], *, alone: bool) -> None:
        def tell(node: str, event: Event) -> None:
            _tell(run, node, event)

        def ended(node: str, report: Report) -> None:
            _take(run, run.record.node(node), report)

        orders = {one.name: order_of(run.record, one, alone=alone) for one in entries}
        limit = run.record.options.timeout_s
        bound = None if limit is None else limit + _SLACK_S
        for node, why in self._members.order(orders, bound, tell, ended).items():
            unanswered.lost(run, run.record.node(node), why)

    def _publish(self, run: FleetRun, name: str, held: Sequence[NodeEntry]) -> None:
        ready = _ready(run, held)
        if not ready:
            return
        run.note(*(one._replace(touched=True) for one in ready))
        wave, began = ready[0].wave, run.world.clock()
        run.world.tell(FleetEvent("", wave, "PUBLISH", "", "begins", f"{len(ready)} nodes"))
        try:
            self._publisher.publish(name, ready)
        except (SlurmMigError, OSError) as why:
            seconds = run.world.clock() - began
            run.world.tell(FleetEvent("", wave, "PUBLISH", "", "failed", str(why), seconds))
            _not_published(run, ready, str(why), touched=not isinstance(why, Refused))
            return
        seconds = run.world.clock() - began
        run.took(wave, "PUBLISH", seconds)
        run.note(
            *(
                one._replace(touched=True, published=one.goal, stage=ORDERED, undo=False)
                for one in ready
            )
        )
        run.world.tell(FleetEvent("", wave, "PUBLISH", "", "ended", "", seconds))


def order_of(record: RunRecord, entry: NodeEntry, *, alone: bool = False) -> Order:
    """What a node is told next; `alone`: there is nobody whose jobs it should wait for too."""
    attempt = f".{entry.attempt}" if entry.attempt > 1 else ""
    return Order(
        run_id=f"{record.run_id}{attempt}",
        begun_on=record.host,
        node=entry.name,
        label=record.label,
        text=record.text,
        rollback=record.rollback,
        undo=entry.undo,
        waits=not (alone or entry.waited or entry.undo or entry.published),
        published=entry.published,
        touched=entry.touched,
        timeout_s=record.options.timeout_s,
        cancel_after_s=record.options.cancel_after_s,
        smoke=record.options.smoke,
    )


def _tell(run: FleetRun, node: str, event: Event) -> None:
    wave = run.record.node(node).wave
    run.phase(node, event.phase)
    run.world.tell(FleetEvent(node, wave, *event))
    log.write(run.world.root, node, run.record.run_id, event)


def _take(run: FleetRun, entry: NodeEntry, report: Report) -> None:
    """What a member reported is on the disk as soon as it is known."""
    problem = "" if report.outcome in GOOD else report.problem or entry.problem
    entry = entry._replace(took=(*entry.took, *report.took), problem=problem)
    if report.outcome == IS_READY:
        run.note(entry._replace(stage=READY))
    elif report.outcome == IS_HELD:
        entry = entry._replace(stage=HELD, goal=report.goal, way=report.way)
        run.note(entry._replace(gres=report.gres, block=report.block))
    else:
        run.note(entry._replace(stage=ENDED, outcome=report.outcome, next_step=report.next_step))
    for remark in report.remarks:
        run.remark(entry.name, remark)


def _ready(run: FleetRun, held: Sequence[NodeEntry]) -> list[NodeEntry]:
    """Those that are as they said: drained still, and without jobs; the others are to go back.

    It may be hours since they were held.
    """
    try:
        states = run.world.client.nodes([one.name for one in held])
    except SlurmMigError as why:
        _not_published(run, held, str(why), touched=False)
        return []
    known = {state.name: state for state in states}
    came = {one.name: _came(known[one.name]) for one in held if one.goal == TARGET}
    gone = [one for one in held if came.get(one.name)]
    run.note(*(one._replace(stage=ORDERED, undo=True, problem=came[one.name]) for one in gone))
    return [one for one in held if not came.get(one.name)]


def _came(node: NodeState) -> str:
    if not node.drains:
        return f"somebody has resumed {node.name} meanwhile"
    if any(held.number for held in node.gres_used or ()):
        return f"a job came to {node.name} meanwhile"
    return ""


def _not_published(run: FleetRun, held: Sequence[NodeEntry], why: str, *, touched: bool) -> None:
    """They go back; those that were on the way back stay where they are. No new wave begins."""
    back = [one for one in held if one.goal == TARGET]
    run.note(
        *(
            one._replace(
                stage=ORDERED, undo=True, touched=one.touched or touched, problem=one_line(why)
            )
            for one in back
        ),
        problem=why,
    )
    for one in held:
        if one.goal != TARGET:
            unanswered.stays(run, one, why)
