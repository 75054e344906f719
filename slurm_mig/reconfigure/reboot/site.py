"""RebootProgram on this machine: which task there is, and its worker in the real world."""

import os
from collections.abc import Callable
from pathlib import Path

from slurm_mig.errors import Refused, SlurmMigError
from slurm_mig.reconfigure.loop import Ended
from slurm_mig.reconfigure.publisher import NodePublisher
from slurm_mig.reconfigure.reboot import desired, worker
from slurm_mig.reconfigure.reboot.desired import Order, Wanted
from slurm_mig.reconfigure.reboot.program import Named, Task, by_hand, decide, node_name
from slurm_mig.reconfigure.run import one_line
from slurm_mig.reconfigure.settings import ReconfigureSettings, load
from slurm_mig.reconfigure.site import client_of, request_of, world_of
from slurm_mig.reconfigure.world import Event, Options
from slurm_mig.slurm.controller.client import NodeState

_LONGEST = 250  # of a reason; accounting keeps 255 bytes


class GatheringPublisher(NodePublisher):
    """Those of a wave that were idle come to publish at about the same time."""

    gather_s = 0.5


def task_of(root: Path, named: Named | None) -> tuple[str, Task | None]:
    """This node's name, and what decide() says. Where it is unclear, the node's reason says so."""
    node, chosen = node_name(os.environ), load(root)

    def ask() -> NodeState:
        return client_of(root, chosen).node(node)  # a plain reboot needs no Slurm

    try:
        return node, decide(root, node, chosen, ask, named)
    except Refused as why:
        _give_reason(root, chosen, node, why)
        raise


def carry_out(
    root: Path, order: str, named: Named | None, tell: Callable[[Event], object]
) -> tuple[str, Ended]:
    """Carry an order out that task_of() has found. Raises SlurmMigError without a slurm.conf."""
    node, chosen = node_name(os.environ), load(root)
    options = Options(keep_what_failed=True)
    name, world = world_of(root, node, options, tell, GatheringPublisher)
    try:
        task = _found_again(root, node, chosen, order, named)
    except SlurmMigError as why:
        lost = Task(Order("00000000", order), Wanted("00000000", "", ""))
        ended = Ended(worker.REFUSED, str(why))
        return name, worker.release(world, name, lost, ended)
    return name, worker.work(world, request_of(root), name, task)


def _found_again(
    root: Path, node: str, chosen: ReconfigureSettings, order: str, named: Named | None
) -> Task:
    found = desired.order_of(root, chosen.desired_dir, node)
    if found is not None and found.order == order:
        return Task(found, desired.wanted_by(root, chosen.desired_dir, found.run))
    if named is None:
        raise Refused("nothing was changed", [f"order {order} was taken back meanwhile"])
    made = by_hand(root, chosen, named)
    return made._replace(order=made.order._replace(order=order))


def _give_reason(root: Path, chosen: ReconfigureSettings, node: str, why: SlurmMigError) -> None:
    try:
        reason = one_line(f"slurm-mig: {why}", _LONGEST)
        client_of(root, chosen).set_reason(node, reason)
    except SlurmMigError as problem:
        why.add_note(f"its reason could not be set ({problem})")
