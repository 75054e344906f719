"""Orders nodes by Slurm's own reboots: what is wanted is written where they see it, then ordered.

In this order, for an idle node runs its RebootProgram at once. Whoever dies in between leaves what
is wanted without an order: a reboot that somebody else asks for is not taken for one.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from slurm_mig.errors import NoSuchNode, Refused, SlurmMigError, SlurmNotAnswering, SlurmRefused
from slurm_mig.reconfigure import drained, reserved
from slurm_mig.reconfigure import record as records
from slurm_mig.reconfigure.fleet import rebooted
from slurm_mig.reconfigure.fleet.engine import FleetRun
from slurm_mig.reconfigure.fleet.rebooted import QUIET
from slurm_mig.reconfigure.fleet.record import (
    DRAINED,
    ORDERED,
    REFUSED,
    WAITING,
    NodeEntry,
    RunRecord,
)
from slurm_mig.reconfigure.reboot import desired
from slurm_mig.reconfigure.reboot.desired import Order, Wanted
from slurm_mig.slurm.controller.client import NodeState, SlurmClient
from slurm_mig.slurm.version import SlurmVersion

NAMES_ACTIONS = SlurmVersion(26, 5, 0)


class Ordering:
    """`folder` is desired_dir, below `root`."""

    def __init__(self, root: Path, client: SlurmClient, folder: str) -> None:
        self._root, self._client, self._folder = root, client, folder

    def must_be_possible(self) -> None:
        """Raises Refused where no node can be ordered so."""
        if not self._client.config().get("rebootprogram"):
            problem = "slurm.conf has no RebootProgram: name hooks/reboot there"
            raise Refused("nothing was changed", [problem])

    def takes_actions(self) -> bool:
        """Whether a reboot may name a PowerAction."""
        return self._client.version() >= NAMES_ACTIONS

    def order(self, run: FleetRun, entries: Sequence[NodeEntry]) -> None:
        """Order those that are not at it already. Where none can be, none is, and the run stops."""
        try:
            self.must_be_possible()
            orders = self._needed(run, entries)
            if orders:
                self._write(run, orders)
                self._reboot(list(orders), run.record)
        except SlurmMigError as why:
            states = self.states([one.name for one in entries])
            for one in run.nodes([entry.name for entry in entries], ORDERED):
                if states is not None and not self._is_at_it(states.get(one.name), one, run):
                    with suppress(SlurmMigError):  # it may be why
                        self.withdraw(one.name, run.record.run_id)
                    run.end(one.name, REFUSED, str(why))
            run.note(problem=str(why))

    def order_of(self, name: str, run_id: str) -> Order | None:
        """What the run has ordered of a node, or was about to. Raises SlurmMigError."""
        found = desired.order_of(self._root, self._folder, name)
        return found if found is not None and found.run == run_id else None

    def is_tested(self, name: str) -> bool:
        """Whether it is kept for test jobs of ours."""
        kept = (one for one in self._client.reservations() if name in one.nodes)
        return any(one.name.startswith(reserved.OURS) for one in kept)

    def withdraw(self, name: str, run_id: str) -> None:
        """The run wants nothing more of the node. Raises SlurmMigError."""
        desired.withdraw(self._root, self._folder, name, run_id)

    def forget(self, record: RunRecord) -> None:
        """Remove what the run wanted, where it wants nothing more."""
        if not any(one.stage in (WAITING, ORDERED) for one in record.nodes):
            with suppress(SlurmMigError):
                names = [one.name for one in record.nodes]
                desired.forget(self._root, self._folder, record.run_id, names)

    def states(self, names: Sequence[str]) -> dict[str, NodeState] | None:
        """Those that slurmctld has; None where it does not answer."""
        try:
            return {node.name: node for node in self._client.nodes(names)}
        except NoSuchNode:  # a dynamic one is away for a moment
            known = {node.name: node for node in self._client.nodes()}
            return {name: known[name] for name in names if name in known}
        except SlurmNotAnswering:
            return None

    def _needed(self, run: FleetRun, entries: Sequence[NodeEntry]) -> dict[str, Order]:
        made = {}
        states = self.states([one.name for one in entries]) or {}
        for entry in entries:
            node = states.get(entry.name)
            if self._is_at_it(node, entry, run):
                continue
            if node is not None and rebooted.to_be_recovered(node):
                recover = f"mend what is named, then run `slurm-mig recover` on {node.name}"
                run.end(node.name, DRAINED, node.reason, recover)
                continue
            if node is None or (problem := rebooted.forbids(node, run.record.run_id)):
                run.end(entry.name, REFUSED, problem if node else "slurmctld tells nothing of it")
                continue
            before = self.order_of(entry.name, run.record.run_id)
            made[node.name] = Order(
                run=run.record.run_id,
                order=records.new_id(),
                theirs=rebooted.theirs_of(node) if before is None else before.theirs,
                before=rebooted.gpus_text(node),
                started=int(node.slurmd_start or 0),
            )
        return made

    def _is_at_it(self, node: NodeState | None, entry: NodeEntry, run: FleetRun) -> bool:
        """Whether an earlier order is under way there, or has done its work.

        Raises SlurmMigError where it is not known what was ordered, and it looks like it.
        """
        try:
            order = self.order_of(entry.name, run.record.run_id)
        except SlurmMigError:
            if node is not None and run.record.run_id not in node.reason:
                return False
            raise
        if order is None:
            return False
        seen = rebooted.see(node, order)
        if node is not None and not node.drains and "DOWN" not in node.state:
            return rebooted.is_other(node, order) or self.is_tested(node.name)
        return not seen.outcome and seen.phase != QUIET

    def _write(self, run: FleetRun, orders: Mapping[str, Order]) -> None:
        record = run.record
        names = tuple(one.name for one in record.nodes)
        wanted = Wanted(
            run=record.run_id,
            label=record.label,
            text=record.text,
            nodes=names,
            time=record.begun,
            rollback=record.rollback,
            smoke=record.options.smoke,
        )
        desired.write_wanted(self._root, self._folder, wanted)
        for name, order in orders.items():
            desired.write_order(self._root, self._folder, name, order)

    def _reboot(self, names: Sequence[str], record: RunRecord) -> None:
        reason = drained.reason(record.run_id, record.what)
        if self.takes_actions() and not record.rollback:
            with suppress(SlurmRefused):  # there is none of that name
                return self._client.reboot(names, reason, action=record.label)
        return self._client.reboot(names, reason)
