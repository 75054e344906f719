"""A wave by Slurm's own reboots: one `scontrol reboot` for all its nodes, nobody is logged in to.

What is wanted is written where the nodes see it (ordering.py), slurmctld empties them, and slurmd
runs our RebootProgram there. From then on each node is on its own: it comes to its end whether
anybody waits for it or not. What is waited for here is what slurmctld says (rebooted.py).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from slurm_mig.errors import SlurmNotAnswering, SlurmRefused
from slurm_mig.reconfigure.fleet import prospects, rebooted
from slurm_mig.reconfigure.fleet.engine import FleetEvent, FleetRun, Look
from slurm_mig.reconfigure.fleet.ordering import Ordering
from slurm_mig.reconfigure.fleet.rebooted import QUIET, TESTED, WAIT, Seen, Watch
from slurm_mig.reconfigure.fleet.record import (
    DONE,
    LOST,
    NOTHING,
    ORDERED,
    REFUSED,
    NodeEntry,
    RunRecord,
)
from slurm_mig.reconfigure.reboot.desired import Order
from slurm_mig.reconfigure.settings import ReconfigureSettings
from slurm_mig.reconfigure.waiting import job_json, told, told_one
from slurm_mig.reconfigure.world import Options, Pauses
from slurm_mig.slurm.controller.client import NodeState, SlurmClient

NAME: Final = "reboot"
SETTLED_S = 15.0  # how long a node is quiet for which nothing was to be done
_PAUSES = Options(pause_s=2.0, first_pause_s=0.2)


class RebootEngine:
    """As engine.Engine."""

    def __init__(self, root: Path, client: SlurmClient, chosen: ReconfigureSettings) -> None:
        self._client, self._timeout_s = client, chosen.reboot_timeout_s
        self._ordering = Ordering(root, client, chosen.desired_dir)

    def carry(self, run: FleetRun, names: Sequence[str]) -> None:
        """As the port."""
        watch, pauses = Watch(run.world.clock), Pauses(_PAUSES, run.world.sleep)
        self._ordering.order(run, run.nodes(names, ORDERED))
        while left := run.nodes(names, ORDERED):
            found = self._ordering.states([one.name for one in left])
            for entry in left:
                with suppress(SlurmNotAnswering):  # asked again, until its time is up
                    self._look_at(run, entry, watch, found)
            pauses.pause()
        self._ordering.forget(run.record)

    def look(self, record: RunRecord, names: Sequence[str]) -> list[Look]:
        """As the port, by what slurmctld has: nobody asks the nodes."""
        self._ordering.must_be_possible()
        foretell = prospects.foreteller(record, self._client.version())
        nodes = {node.name: node for node in self._client.nodes(names)}
        return [self._look(nodes[name], record.run_id, foretell) for name in names]

    def _look(self, node: NodeState, run_id: str, foretell: Callable[[NodeState], Look]) -> Look:
        if problem := rebooted.forbids(node, run_id):
            return Look(node.name, {}, problem)
        found = foretell(node)
        jobs = [{**job_json(job), "text": told_one(job)} for job in self._client.jobs_on(node.name)]
        return found._replace(told={**found.told, "way": NAME, "jobs": jobs} if found.told else {})

    def _look_at(
        self,
        run: FleetRun,
        entry: NodeEntry,
        watch: Watch,
        found: Mapping[str, NodeState] | None,
    ) -> None:
        name = entry.name
        order = self._ordering.order_of(name, run.record.run_id) or Order(run.record.run_id, "")
        seen = Seen("") if found is None else rebooted.see(found.get(name), order)
        if seen.outcome == DONE:
            seen = self._looked_again(name, order)
        for_s, emptied_s = watch.seen(name, seen.phase)
        _tell(run, entry, seen)
        if seen.outcome:
            self._end(run, name, seen.outcome, seen.problem)
        elif seen.phase == QUIET:
            if for_s > SETTLED_S and watch.moved(name):
                self._end(run, name, NOTHING)
            elif for_s > SETTLED_S:  # the order got lost, or was over before we looked
                again = "no reboot of it was seen: `slurm-mig reconfigure --resume` orders it anew"
                self._end(run, name, REFUSED, run.record.problem or again)
        elif seen.phase == WAIT:
            self._waits(run, entry, for_s, order)
        elif emptied_s > self._timeout_s:
            shown = "slurmctld does not answer" if found is None else _shown(found.get(name))
            self._end(run, name, LOST, f"not back {emptied_s:.0f} s after it was emptied: {shown}")

    def _looked_again(self, name: str, order: Order) -> Seen:
        """It is in service: for test jobs only, it may be, which then may have failed meanwhile."""
        if self._ordering.is_tested(name):
            return Seen(TESTED)
        states = self._ordering.states([name])
        return Seen("") if states is None else rebooted.see(states.get(name), order)

    def _waits(self, run: FleetRun, entry: NodeEntry, for_s: float, order: Order) -> None:
        """For its jobs: cancelled, or not waited for any more, when it is time."""
        options, name = run.record.options, entry.name
        if options.cancel_after_s is not None and for_s > options.cancel_after_s:
            for job in self._client.jobs_on(name):
                self._client.cancel(job)
        elif options.timeout_s is not None and for_s > options.timeout_s:
            jobs = self._client.jobs_on(name)
            with suppress(SlurmRefused):  # the last one has ended this moment
                self._client.cancel_reboot(name)
                if order.theirs is not None:
                    self._client.set_reason(name, order.theirs)
                self._end(run, name, REFUSED, f"after {for_s:.0f} s {told(jobs)}")

    def _end(self, run: FleetRun, name: str, outcome: str, problem: str = "") -> None:
        log = f"see /var/log/slurm-mig/reboot.log there, and run `slurm-mig recover` on {name}"
        run.end(name, outcome, problem, log if outcome == LOST else "")
        self._ordering.withdraw(name, run.record.run_id)
        entry = run.record.node(name)
        state = "failed" if entry.failed else "ended"
        run.world.tell(FleetEvent(name, entry.wave, entry.phase, entry.goal, state, problem))


def _tell(run: FleetRun, entry: NodeEntry, seen: Seen) -> None:
    if seen.phase not in ("", QUIET, entry.phase):
        run.phase(entry.name, seen.phase)
        run.world.tell(FleetEvent(entry.name, entry.wave, seen.phase, entry.goal, "begins"))


def _shown(node: NodeState | None) -> str:
    if node is None:
        return "slurmctld knows no such node"
    return f"{'+'.join(sorted(node.state))} ({node.reason})"
