"""In a task, as the user: give CUDA the UUIDs of the slices that this very task can open.

What is printed here, slurmstepd applies to the task ("export N=V") or shows ("print ...").
"""

import sys

from slurm_mig.errors import HookError
from slurm_mig.hooks import binding, gres_map, machine, probe
from slurm_mig.hooks.environment import Job, text
from slurm_mig.hooks.log import CRITICAL, Line
from slurm_mig.hooks.settings import Settings
from slurm_mig.hooks.slices import GresMap, Slice

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
    slices = _own(root, gpus, the_map, line)
    line.put(slices=",".join(one.name for one in slices))
    sys.stdout.write("".join(f"{told}\n" for told in tell(slices, settings.export)))
    return 0


def _own(root: str, gpus: str, the_map: GresMap, line: Line) -> tuple[Slice, ...]:
    """Of the slices that Slurm names those that open; all of them where all of the node's do."""
    named = binding.resolve(gpus, the_map)
    opened = probe.opened(root, the_map)
    if the_map.constrained is not True and len(opened) == len(the_map.slices) > len(named):
        line.warn("devices are not constrained: the environment is believed")
        return named
    foreign = [one for one in the_map.slices if one.gres_index in opened and one not in named]
    if foreign:
        names = ",".join(one.name for one in foreign)
        line.warn(f"ISOLATION BREACH: this task can open {names}, not its own", CRITICAL)
        _say(f"please report: this task can open {names}, which are not its own")
    own = tuple(one for one in named if one.gres_index in opened)
    if not own:
        line.warn("none of the slices that Slurm names can be opened")
    return own


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
