"""`plan --json`: the plans of plan.py, with what a reader needs beside them (a contract). Pure."""

from collections.abc import Sequence
from typing import Any

from slurm_mig.gpu.partitioning import LiveGpu
from slurm_mig.gpu.planning.occupied import Occupied
from slurm_mig.gpu.planning.plan import GpuPlan
from slurm_mig.gpu.planning.plan import to_json as plans_to_json


def to_json(
    source: str,
    label: str,
    plans: Sequence[GpuPlan],
    others: Sequence[LiveGpu],
    occupied: Occupied,
    assumed: Sequence[str],
) -> dict[str, Any]:
    """The object. `possible`: whether apply may be tried; `gpus`: one plan for each GPU named.

    `left_alone` are the gpu_index of those that the config does not name. `unseen`: what could
    not be looked at; `assumed`: what of a GPU model is known from no hardware.
    """
    made = plans_to_json(plans)
    for row, each in zip(made["gpus"], plans, strict=True):
        row["in_use"] = [
            {"placement": gi.placement._asdict(), "by": list(occupied.on(each.gpu, gi.placement))}
            for gi in each.gpu.instances
            if gi.placement in occupied.busy(each.gpu)
        ]
        row["open_by"] = list(occupied.with_open(each.gpu))
    return {
        "version": made["version"],
        "file": source,
        "config": label,
        "possible": not any(each.problems for each in plans),
        "changes": any(each.steps for each in plans),
        "gpus": made["gpus"],
        "left_alone": [gpu.info.gpu_index for gpu in others],
        "unseen": list(occupied.unseen),
        "assumed": list(assumed),
    }
