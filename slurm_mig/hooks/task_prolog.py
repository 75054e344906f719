"""In a task, as the user: give CUDA the UUIDs of the slices that this very task can open.

What is printed here, slurmstepd applies to the task ("export N=V") or shows ("print ...").
"""

import sys

from slurm_mig.errors import HookError
from slurm_mig.hooks import binding, gres_map, machine, probe
from slurm_mig.hooks.environment import Job, Task, text
from slurm_mig.hooks.log import CRITICAL, Line
from slurm_mig.hooks.settings import Settings
from slurm_mig.hooks.slices import Slice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def task_prolog(root: str, environ: "Mapping[bytes, bytes]", settings: Settings, line: Line) -> int:
    """Always 0: a task is not killed for what it can be told."""
    job = Job(environ)
    # A step's own list; a batch script has none, and an inherited list is the job's.
    gpus = text(environ, b"SLURM_STEP_GPUS") or job.gpus
    line.put(job=job.job_id, task=text(environ, b"SLURM_PROCID"), gres=gpus)
    the_map = gres_map.load(root)
    if stale := machine.why_stale(root, the_map):
        raise HookError(stale)
    opened = probe.opened(root, the_map)
    place = Task(environ)
    bound = binding.of_task(gpus, the_map, opened, bound=place.gpus is not None)
    slices = bound.slices
    if place.tasks > 1 and place.gpus and len(slices) == place.gpus * place.tasks:
        slices = binding.share(slices, place.local_id, place.tasks)
    line.put(slices=",".join(one.name for one in slices))
    _report(bound, gpus, line)
    sys.stdout.write("".join(f"{told}\n" for told in tell(slices, settings.export)))
    return 0


def _report(bound: binding.Binding, gpus: str, line: Line) -> None:
    """What an administrator should know of it, and of a breach the user too."""
    if not bound.complete:
        line.warn("devices are not constrained: the environment is believed")
    if bound.foreign:
        names = ",".join(one.name for one in bound.foreign)
        line.warn(f"ISOLATION BREACH: this task can open {names}, not its own", CRITICAL)
        _say(f"please report: this task can open {names}, which are not its own")
    if gpus and not bound.slices:
        line.warn("none of the slices that Slurm names can be opened")


def _say(text: str) -> None:
    sys.stdout.write(f"print slurm-mig: {text}\n")


def tell(slices: tuple[Slice, ...], more_names: list[str]) -> list[str]:
    """The lines for slurmstepd."""
    if not slices:
        return []
    uuids = ",".join(one.uuid for one in slices)
    lines = [f"export {name}={uuids}" for name in ("CUDA_VISIBLE_DEVICES", *more_names)]
    if len(slices) > 1 and any(one.mig for one in slices):
        lines.append(
            f"print slurm-mig: this task has {len(slices)} slices, but one CUDA process uses one "
            "MIG slice: start one process a slice (srun --gpus-per-task=1)"
        )
    return lines
