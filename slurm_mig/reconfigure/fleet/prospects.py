"""What a run by reboots would do to a node, as a member would tell it; by slurmctld's words alone.

The keys are looked.to_json's but for the plans, and three more: `has_types`, what slurmctld has
now; `unknown`, what only the node itself can tell; `exact`, whether `gpu_count` and `types` are
no lower bounds. `types` and `gpu_count` are None where nothing can be told.
"""

from collections.abc import Callable

from slurm_mig.gpu.config.migyaml import parse
from slurm_mig.reconfigure.fleet import foreseen, rebooted
from slurm_mig.reconfigure.fleet.engine import Look
from slurm_mig.reconfigure.fleet.record import RunRecord
from slurm_mig.reconfigure.phases import gpu_types
from slurm_mig.slurm.controller.client import NodeState
from slurm_mig.slurm.version import SlurmVersion

_ALL_THE_SAME = "it is emptied all the same, and looks itself"


def foreteller(record: RunRecord, version: SlurmVersion) -> Callable[[NodeState], Look]:
    """What tells of each node. Raises Refused where the run's configuration is none."""
    if record.rollback:
        return _goes_back
    config = parse(record.text.encode(errors="surrogateescape"), "the file")

    def foretell(node: NodeState) -> Look:
        found = foreseen.foresee(node, config, record.label, version)
        if found.problem:
            return Look(node.name, {}, found.problem)
        return _told(node, found)

    return foretell


def _goes_back(node: NodeState) -> Look:
    why = "what it had before is kept on the node"
    return _told(node, foreseen.Foreseen(why=why))


def _told(node: NodeState, found: foreseen.Foreseen) -> Look:
    now = gpu_types(node)
    same = found.types == now
    if found.types is None:
        does = [f"now it has {rebooted.gpus_text(node) or 'no gpus'}"]
    elif same:
        does = [f"{line}, as wanted, by Slurm's word: {_ALL_THE_SAME}" for line in found.lines]
    else:
        does = list(found.lines)
    unknown = list(foreseen.left_unknown(found))
    told = {
        "changes": not same,
        "does": does,
        "gpu_count": found.gpu_count,
        "exact": found.exact,
        "types": found.types,
        "has_types": dict(now),
        "unknown": [*([f"what it would have: {found.why}"] if found.why else []), *unknown],
    }
    return Look(node.name, told)
