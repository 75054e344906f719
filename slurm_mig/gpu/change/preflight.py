"""What forbids a change, all of it, before the first call that changes anything."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from slurm_mig.errors import HookError
from slurm_mig.gpu.change import state_files
from slurm_mig.gpu.change.holders import Holder, Sight
from slurm_mig.gpu.change.sitecommand import find
from slurm_mig.gpu.partitioning import LiveGi, LiveGpu
from slurm_mig.gpu.planning.plan import GpuPlan
from slurm_mig.gpu.planning.plan_steps import DestroyCi, DestroyGi, Reset, SetMode
from slurm_mig.settings import FILE, Settings
from slurm_mig.system import rootfiles
from slurm_mig.system.epoch import FOLDER

NOT_ROOT = "only root may change GPUs: run as root"


class Ground(NamedTuple):
    """What a change stands on. `stopped`: units that run no more, or will not when it begins."""

    root: Path
    settings: Settings
    sight: Sight
    stopped: frozenset[str] = frozenset()
    uid: int = 0


def problems(plans: Sequence[GpuPlan], ground: Ground) -> tuple[str, ...]:
    """Everything that forbids to carry these plans out; empty when nothing does.

    Each is a line that says what, where, and what to do next. Where no plan has a step, nobody
    can be in the way.
    """
    found = [] if ground.uid == 0 else [NOT_ROOT]
    changes = any(plan.steps for plan in plans)
    if changes:
        found += ground.sight.unseen
        found += _folders(ground.root)
    for plan in plans:
        found += _of_gpu(plan, ground)
    return tuple(dict.fromkeys(found))


def in_the_way(plan: GpuPlan, sight: Sight) -> tuple[Holder, ...]:
    """Everybody who must be gone from this GPU before the plan is carried out."""
    if needs_all_of_it(plan):
        return sight.on(plan.gpu)
    found = [one for gi in _going(plan) for one in sight.on_instance(plan.gpu, gi)]
    return tuple(dict.fromkeys(found))


def needs_all_of_it(plan: GpuPlan) -> str | None:
    """What the driver does only while nothing at all has the GPU open, in words; None: nothing."""
    if any(isinstance(step, Reset) for step in plan.steps):
        return "it is to be reset"
    if any(isinstance(step, SetMode) for step in plan.steps):
        return "its MIG mode is to change"
    if plan.first_gi:
        return "its first GPU instance is to be made"
    return None


def blocking_units(plans: Sequence[GpuPlan], sight: Sight, units: Sequence[str]) -> tuple[str, ...]:
    """Those of `units` of which a process is in the way."""
    services = {one.service for plan in plans for one in in_the_way(plan, sight)}
    return tuple(unit for unit in units if unit in services)


def effective_uid() -> int:
    """Who we are, for the kernel."""
    return os.geteuid()


def _folders(root: Path) -> Iterator[str]:
    """The folders in which a change is written down must be root's alone, if they are there."""
    for path in (state_files.FOLDER, FOLDER):
        with suppress(FileNotFoundError):  # it will be made
            try:
                os.close(rootfiles.open_folder(str(root), path))
            except HookError as error:
                yield str(error)
            except NotADirectoryError:
                yield f"{path}: it, or what leads there, is a link or no folder: remove it"


def _of_gpu(plan: GpuPlan, ground: Ground) -> Iterator[str]:
    # The planner knows only that something is on an instance; who it is, is said here.
    if not plan.in_the_way:
        yield from plan.problems
    if plan.needs_reset:
        yield from _reset(plan, ground.settings)
    why = needs_all_of_it(plan)
    going = _going(plan)
    for one in in_the_way(plan, ground.sight):
        if one.service is None or one.service not in ground.stopped:
            yield f"{_name(plan.gpu)}: {one} {_what(one, why, going)}"


def _what(one: Holder, why: str | None, going: Sequence[LiveGi]) -> str:
    on = next((gi for gi in going if gi.gi_id == one.gi_id), None)
    if on is not None:
        where = f"{on.profile}@{on.placement.start} (GPU instance {on.gi_id})"
        return f"is on {where}, which is to go: end it, or wait for its end"
    if why is not None:
        end = f"name its unit among clients in {FILE}" if one.job is None else "wait for its end"
        return f"has this GPU open, and {why}: end it, or {end}"
    return "has this GPU open, and nobody can tell on which instance: wait for its job's end"


def _going(plan: GpuPlan) -> list[LiveGi]:
    """The GPU instances that lose something, or all that they are."""
    places = {step.gi.placement for step in plan.steps if isinstance(step, DestroyCi | DestroyGi)}
    return [gi for gi in plan.gpu.instances if gi.placement in places]


def _reset(plan: GpuPlan, settings: Settings) -> Iterator[str]:
    if not settings.reset_command:
        yield (
            f"{_name(plan.gpu)}: it needs a reset, and reset_command in {FILE} is empty: give "
            "one, or switch MIG with `nvidia-smi -mig` and reboot"
        )
    elif find(settings.reset_command[0]) is None:
        yield (
            f"{_name(plan.gpu)}: it needs a reset, and {settings.reset_command[0]} is not "
            f"installed: set reset_command in {FILE}"
        )


def _name(gpu: LiveGpu) -> str:
    return f"GPU {gpu.info.gpu_index} ({gpu.info.name})"
