"""What plan.py answers about one GPU, and the same as JSON. Pure."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from slurm_mig.gpu.partitioning import GiSpec, Layout, LiveGi, LiveGpu, WantedGi
from slurm_mig.gpu.planning.impossible import Impossible
from slurm_mig.gpu.planning.plan_steps import Step, step_json

VERSION = 1


class GpuPlan(NamedTuple):
    """The way of one GPU from `former` to `target`.

    `problems`: why it must not be gone, all of them, each a line that names the GPU; empty when
    it may. The same as data: `impossible`: there is no such layout, then there are no steps;
    `in_the_way`: busy instances that the steps would destroy or change.
    `keep` are the GPU instances that stay, some of them with other compute instances.
    `unsolved`: the driver tells what fits only when MIG is on: the steps go no further, and
    a new plan is to be made then. `first_gi`: a GPU instance is made on a GPU that has none when
    the creating begins, and the driver refuses that while anything has the GPU open.
    """

    gpu: LiveGpu
    former: Layout
    target: Layout
    keep: tuple[LiveGi, ...] = ()
    steps: tuple[Step, ...] = ()
    problems: tuple[str, ...] = ()
    needs_reset: bool = False
    first_gi: bool = False
    unsolved: bool = False
    impossible: Impossible | None = None
    in_the_way: tuple[LiveGi, ...] = ()


def to_json(plans: Sequence[GpuPlan]) -> dict[str, Any]:
    """Plans as JSON."""
    return {"version": VERSION, "gpus": [_plan(each) for each in plans]}


def _plan(plan: GpuPlan) -> dict[str, Any]:
    info = plan.gpu.info
    return {
        "gpu_index": info.gpu_index,
        "uuid": info.uuid,
        "name": info.name,
        "pci_bus_id": info.pci_bus_id,
        "former": _layout(plan.former),
        "target": _layout(plan.target),
        "keep": [_live(each) for each in plan.keep],
        "steps": [step_json(each) for each in plan.steps],
        "needs_reset": plan.needs_reset,
        "first_gi": plan.first_gi,
        "unsolved": plan.unsolved,
        "problems": list(plan.problems),
        "in_the_way": [_live(each) for each in plan.in_the_way],
        "impossible": None if plan.impossible is None else _impossible(plan.impossible),
    }


def _layout(layout: Layout) -> dict[str, Any]:
    return {"mig": layout.mig, "instances": [_spec(each) for each in layout.instances]}


def _spec(spec: GiSpec) -> dict[str, Any]:
    return {
        "profile": spec.profile,
        "placement": spec.placement._asdict(),
        "cis": [ci._asdict() for ci in spec.cis],
    }


def _live(live: LiveGi) -> dict[str, Any]:
    return {"gi_id": live.gi_id, "profile": live.profile, "placement": live.placement._asdict()}


def _impossible(impossible: Impossible) -> dict[str, Any]:
    return {
        "reasons": [
            {
                "why": str(reason.why),
                "text": reason.text,
                "profiles": list(reason.profiles),
                "blocked_by": [
                    {"profile": profile, "placement": place._asdict()}
                    for profile, place in reason.blocked_by
                ],
            }
            for reason in impossible.reasons
        ],
        "nearest": [_wanted(each) for each in impossible.nearest],
    }


def _wanted(wanted: WantedGi) -> dict[str, Any]:
    cis = None if wanted.cis is None else list(wanted.cis)
    return {"profile": wanted.profile, "start": wanted.start, "cis": cis}
