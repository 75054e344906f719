"""The steps of a plan, in an order in which the driver refuses none. Pure.

Steps name places and profiles, never ids or MIG UUIDs: those are the driver's to give anew.
Named tuples of different kinds can be equal: tell steps apart by isinstance.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from slurm_mig.gpu.partitioning import CiSpec, GiSpec, LiveGi, LiveGpu
from slurm_mig.gpu.planning.compute import CiChange
from slurm_mig.model import Placement


class DestroyCi(NamedTuple):
    """Destroy a compute instance; `gi` is its GPU instance, told without compute instances."""

    gpu_uuid: str
    gi: GiSpec
    ci: CiSpec


class DestroyGi(NamedTuple):
    """Destroy a GPU instance, which has no compute instances left."""

    gpu_uuid: str
    gi: GiSpec


class SetMode(NamedTuple):
    """Switch MIG on or off: at once, or pending until the Reset that then follows."""

    gpu_uuid: str
    on: bool


class Reset(NamedTuple):
    """Reset this GPU, so that its pending MIG mode comes into force."""

    gpu_uuid: str


class CreateGi(NamedTuple):
    """Make a GPU instance, there."""

    gpu_uuid: str
    profile: str
    placement: Placement


class CreateCi(NamedTuple):
    """Make a compute instance in the GPU instance at that place."""

    gpu_uuid: str
    placement: Placement
    ci: CiSpec


Step = DestroyCi | DestroyGi | SetMode | Reset | CreateGi | CreateCi

_WORDS = {
    DestroyCi: "destroy-ci",
    DestroyGi: "destroy-gi",
    SetMode: "set-mode",
    Reset: "reset",
    CreateGi: "create-gi",
    CreateCi: "create-ci",
}


def destroys(
    gpu: LiveGpu, gone: Sequence[LiveGi], stay: Sequence[tuple[LiveGi, CiChange]]
) -> Iterator[Step]:
    """What goes: compute instances of the GPU instances that stay, then whole GPU instances."""
    uuid = gpu.info.uuid
    for live, change in stay:
        for ci in change.go:
            yield DestroyCi(uuid, _bare(live), ci.spec)
    for live in gone:
        for ci in live.cis:
            yield DestroyCi(uuid, _bare(live), ci.spec)
        yield DestroyGi(uuid, _bare(live))


def mode_steps(gpu: LiveGpu, on: bool) -> Iterator[Step]:
    """What brings MIG mode to `on`, also from a mode that is pending."""
    mode, uuid = gpu.info.mig_mode, gpu.info.uuid
    if mode is None or mode.current == mode.pending == on:
        return
    if mode.current == on:
        yield SetMode(uuid, on)  # takes the pending change back
    elif gpu.mode_needs_reset:
        if mode.pending != on:
            yield SetMode(uuid, on)
        yield Reset(uuid)
    else:
        yield SetMode(uuid, on)  # asked again where it is pending: somebody was on the GPU


def creates(
    gpu: LiveGpu, new: Sequence[GiSpec], stay: Sequence[tuple[LiveGi, CiChange]]
) -> Iterator[Step]:
    """What comes: in the GPU instances that stay, then new ones, the largest first."""
    uuid = gpu.info.uuid
    for live, change in stay:
        for ci in change.come:
            yield CreateCi(uuid, live.placement, ci)
    for gi in sorted(new, key=lambda gi: (-gi.placement.size, gi.placement.start)):
        yield CreateGi(uuid, gi.profile, gi.placement)
        for ci in gi.cis:
            yield CreateCi(uuid, gi.placement, ci)


def step_json(step: Step) -> dict[str, Any]:
    """A step as JSON, without the GPU's UUID: that stands beside the list."""
    made: dict[str, Any] = {"step": _WORDS[type(step)]}
    if isinstance(step, SetMode):
        made["on"] = step.on
    elif isinstance(step, DestroyCi | DestroyGi):
        made |= {"profile": step.gi.profile, "placement": step.gi.placement._asdict()}
    elif isinstance(step, CreateGi):
        made |= {"profile": step.profile, "placement": step.placement._asdict()}
    elif isinstance(step, CreateCi):
        made["placement"] = step.placement._asdict()
    if isinstance(step, DestroyCi | CreateCi):
        made["ci"] = step.ci._asdict()
    return made


def _bare(live: LiveGi) -> GiSpec:
    return GiSpec(live.profile, live.placement, ())
