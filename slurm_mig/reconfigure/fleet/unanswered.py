"""Nodes that nobody hears of any more, or that came to no end: what is said of them."""

from typing import Final

from slurm_mig.errors import SlurmMigError
from slurm_mig.reconfigure.fleet.engine import FleetRun
from slurm_mig.reconfigure.fleet.record import DRAINED, LOST, UNREACHED, NodeEntry
from slurm_mig.reconfigure.run import one_line
from slurm_mig.slurm.controller.client import NodeState

_OURS: Final = "slurm-mig re"
_LONGEST = 160  # of a reason


def lost(run: FleetRun, entry: NodeEntry, why: str) -> None:
    """No answer of a node: how slurmctld has it says whether we have it out of service."""
    try:
        node = run.world.client.node(entry.name)
    except SlurmMigError as error:
        run.end(entry.name, LOST, f"{why}; {error}", _resume(run))
        return
    if not entry.touched and not _is_ours(run, node):
        run.end(entry.name, UNREACHED, why, _resume(run))
        return
    stays(run, entry, why, LOST)


def stays(run: FleetRun, entry: NodeEntry, why: str, outcome: str = DRAINED) -> None:
    """It stays drained, with a reason that names the way on."""
    resume = f"slurm-mig reconfigure --resume [{run.record.run_id}] on {run.record.host}: {why}"
    try:
        node = run.world.client.node(entry.name)
        if not node.drains:
            run.world.client.drain(entry.name, one_line(resume, _LONGEST))
        elif node.reason.startswith(_OURS) or not node.reason:
            run.world.client.set_reason(entry.name, one_line(resume, _LONGEST))
    except SlurmMigError as error:
        why = f"{why}; its reason could not be set ({error})"
    run.end(entry.name, outcome, why, _resume(run))


def _is_ours(run: FleetRun, node: NodeState) -> bool:
    return node.drains and node.reason.startswith(_OURS) and run.record.run_id in node.reason


def _resume(run: FleetRun) -> str:
    return f"mend what is named, then run `slurm-mig reconfigure --resume` on {run.record.host}"
