"""What a node would do, as a member tells it. Pure."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from slurm_mig.gpu.partitioning import Layout
from slurm_mig.gpu.planning.plan import GpuPlan
from slurm_mig.gpu.planning.plan import to_json as plans_json
from slurm_mig.reconfigure.begin import Prospect
from slurm_mig.reconfigure.waiting import job_json, told_one


def to_json(found: Prospect) -> dict[str, Any]:
    """`changes`; `does`, a line for each GPU that changes; `gpus`, the plans; `jobs` to wait for.

    `types` are those of the node's gpus afterwards, `gpu_count` how many GPUs are out of service
    meanwhile: all.
    """
    return {
        "changes": not found.nothing,
        "does": list(_does(found)),
        "way": found.notes.get("way", ""),
        "gpu_count": len(found.plans) + len(found.others),
        "types": dict(found.types),
        "jobs": [{**job_json(job), "text": told_one(job)} for job in found.jobs],
        "gpus": plans_json(found.plans)["gpus"],
    }


def _does(found: Prospect) -> Iterator[str]:
    for each in found.plans:
        if each.steps:
            yield f"GPU {each.gpu.info.gpu_index}: {_shape(each.former)} -> {_target(each)}"
    if not found.nothing and not any(each.steps for each in found.plans):
        yield "Slurm is told what is there"


def _target(each: GpuPlan) -> str:
    return _shape(each.target) + (", with a reset" if each.needs_reset else "")


def _shape(layout: Layout) -> str:
    if not layout.mig:
        return "MIG off"
    counts = Counter(gi.profile for gi in layout.instances)
    named = (f"{number}x{name}" if number > 1 else name for name, number in counts.items())
    return " + ".join(named) or "MIG on, empty"
