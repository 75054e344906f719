"""The node as it will be, on paper: for what Slurm will call its slices before they are made. Pure.

Ids, UUIDs and device files of slices that do not exist are nobody's: nothing here may be used
for more than names and counts.
"""

import re
from collections.abc import Iterator, Sequence

from slurm_mig.gpu.planning.plan import GpuPlan
from slurm_mig.gpu.profile import parse
from slurm_mig.model import (
    CiId,
    CiMinor,
    DeviceFile,
    GiId,
    GiMinor,
    Gpu,
    MigDevice,
    MigIndex,
    MigMode,
    MigSpec,
    Node,
)
from slurm_mig.slurm.controller.client import NodeState

_SHORT = re.compile(r"(?:\d+c\.)?\d+g\.")
NO_FILE = DeviceFile("", None, None, None)  # nobody has looked


def has_short_types(node: NodeState) -> bool:
    """Whether the types of its slices leave the GPU's name out: "1g.10gb"."""
    return any(_SHORT.match(one.type or "") for one in node.gres)


def after(node: Node, plans: Sequence[GpuPlan]) -> Node:
    """The node when these plans have been carried out."""
    by_uuid = {plan.gpu.info.uuid: plan for plan in plans}
    return node._replace(
        gpus=tuple(
            _after(gpu, by_uuid[gpu.uuid]) if gpu.uuid in by_uuid else gpu for gpu in node.gpus
        )
    )


def _after(gpu: Gpu, plan: GpuPlan) -> Gpu:
    on = plan.target.mig
    return gpu._replace(mig_mode=MigMode(on, on), mig_devices=tuple(_devices(gpu, plan)))


def _devices(gpu: Gpu, plan: GpuPlan) -> Iterator[MigDevice]:
    memory = {each.profile: each.memory_mib for each in plan.gpu.profiles}
    for gi in plan.target.instances:
        for ci in gi.cis:
            slices = parse(ci.ci_profile)
            yield MigDevice(
                spec=MigSpec(gpu.uuid, gi.profile, gi.placement, ci.ci_profile),
                mig_index=MigIndex(0),
                uuid="",
                gi_id=GiId(0),
                ci_id=CiId(0),
                gi_minor=GiMinor(gi.placement.start),
                ci_minor=CiMinor(0),
                memory_mib=memory.get(gi.profile, 0),
                sm_count=0,
                gi_slices=slices.gi_slices,
                ci_slices=slices.ci_slices,
                device_files=(NO_FILE, NO_FILE, NO_FILE),
            )
