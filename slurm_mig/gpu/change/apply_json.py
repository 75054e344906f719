"""`apply --json` and `recover --json` (a contract): how it ended, and what was done. Pure."""

from typing import Any

from slurm_mig.errors import Refused, SlurmMigError
from slurm_mig.gpu.change.apply import Outcome
from slurm_mig.gpu.planning.plan import to_json as plans_json

VERSION = 1


def refusal_json(what: str, why: SlurmMigError) -> dict[str, Any]:
    """The object where nothing was changed: `outcome` is "refused", `problems` are all reasons."""
    problems = why.problems if isinstance(why, Refused) else (str(why),)
    return {
        "version": VERSION,
        "config": what,
        "outcome": "refused",
        "good": False,
        "problem": str(why),
        "problems": list(problems),
    }


def to_json(what: str, outcome: Outcome) -> dict[str, Any]:
    """The object.

    `outcome` is "nothing", "done", "former", "reboot" or "stuck"; `gpus` are the plans as `plan
    --json` has them; `ends` what each changed GPU holds now, in words; `took` the steps made,
    in order, with their seconds; `clients_stopped` the daemons that were stopped meanwhile;
    `nodes_made` the device nodes that were still missing afterwards; `troubles` what went
    wrong besides.
    """
    result = outcome.result
    return {
        "version": VERSION,
        "config": what,
        "outcome": result.outcome,
        "good": outcome.good,
        "problem": result.problem or None,
        "next_step": result.next_step or None,
        "seconds": round(result.seconds, 6),
        "took": [{"step": one.what, "seconds": round(one.seconds, 6)} for one in result.took],
        "ends": [one._asdict() for one in result.gpus],
        "gpus": plans_json(outcome.plans)["gpus"],
        "clients_stopped": list(outcome.stopped),
        "nodes_made": list(outcome.nodes),
        "troubles": list(outcome.troubles),
        "remarks": list(outcome.remarks),
    }
