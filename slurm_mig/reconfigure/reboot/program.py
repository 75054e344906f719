"""What RebootProgram= is to do when slurmd runs it: repartition, or really reboot. Or neither.

An order is believed when three agree: the file that says what is wanted of this node, this
node's own record, in which the order is not carried out yet, and the reason that slurmctld has,
which `scontrol reboot` brought and which names the run. A named PowerAction (26.05) says it by
itself: it brings the label, or the way back. Where they do not agree nothing is done, since to
take an order for a reboot ends what runs on the machine, and a reboot for an order changes GPUs
that nobody named.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from slurm_mig.errors import Refused, SlurmMigError
from slurm_mig.files import under
from slurm_mig.gpu.config.migyaml import bytes_of
from slurm_mig.reconfigure import record as records
from slurm_mig.reconfigure.drained import begins
from slurm_mig.reconfigure.reboot import desired, orders
from slurm_mig.reconfigure.reboot.desired import Order, Wanted
from slurm_mig.reconfigure.settings import ReconfigureSettings
from slurm_mig.slurm.controller.client import NodeState
from slurm_mig.slurm.daemon import host_name


class Named(NamedTuple):
    """What a PowerAction brings: a label, or the way back."""

    label: str = ""
    rollback: bool = False


class Task(NamedTuple):
    """An order for this node, and what it wants."""

    order: Order
    wanted: Wanted


def decide(
    root: Path,
    node: str,
    chosen: ReconfigureSettings,
    ask: Callable[[], NodeState],
    named: Named | None = None,
) -> Task | None:
    """What is to be repartitioned; None: it is an ordinary reboot.

    `named` is what a PowerAction brings. `ask` gives the node as slurmctld has it, and is called
    only where an order waits. Raises SlurmMigError: then neither is to be done.
    """
    order = desired.order_of(root, chosen.desired_dir, node)
    if order is not None and orders.is_over(root, order.order):
        order = None
    if order is None:
        return None if named is None else by_hand(root, chosen, named)
    wanted = desired.wanted_by(root, chosen.desired_dir, order.run)
    if named is not None:
        if named != Named(wanted.label, wanted.rollback):
            problem = f"run {order.run} wants {wanted.what} of this node, which waits for that"
            raise Refused(f"not made {named.label or 'what was before'}", [problem])
        return Task(order, wanted)
    reason = ask().reason
    if not reason.startswith((begins(order.run), f"slurm-mig recover [{order.run}]")):
        raise _unclear(chosen, node, order, reason)
    return Task(order, wanted)


def by_hand(root: Path, chosen: ReconfigureSettings, named: Named) -> Task:
    """What a PowerAction wants that no run of ours ordered: of the site's own file, or back."""
    run = records.new_id()
    if named.rollback:
        return Task(Order(run, run), Wanted(run, "", "", rollback=True))
    text = bytes_of(under(root, chosen.config_file)).decode(errors="surrogateescape")
    return Task(Order(run, run), Wanted(run, named.label, text))


def node_name(variables: Mapping[str, str]) -> str:
    """This node's name: 26.05 says it, others leave it to us."""
    return variables.get("SLURM_NODE_NAME") or variables.get("SLURMD_NODENAME") or host_name()


def _unclear(chosen: ReconfigureSettings, node: str, order: Order, reason: str) -> SlurmMigError:
    file = f"{chosen.desired_dir}/{desired.NODES}/{node}.json"
    return Refused(
        "neither repartitioned nor rebooted",
        [
            f"run {order.run} waits for this node, but its reason is {reason!a}: go on with "
            f"`slurm-mig reconfigure --resume`, or, to reboot it, remove {file} and reboot again"
        ],
    )
