"""Before a job: are the slices that Slurm chose there, right and free? Then write it down."""

from slurm_mig.errors import HookError
from slurm_mig.hooks import binding, claims, gres_map, machine
from slurm_mig.hooks.environment import Job
from slurm_mig.hooks.log import Line
from slurm_mig.hooks.settings import Settings
from slurm_mig.hooks.slices import GresMap, Slice
from slurm_mig.system import cgroups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def prolog(root: str, environ: "Mapping[bytes, bytes]", settings: Settings, line: Line) -> int:
    """0: the job may start. HookError: it may not, and the node takes no job until looked at."""
    job = Job(environ)
    line.put(job=job.job_id, uid=job.uid, gres=job.gpus)
    slices: tuple[Slice, ...] = ()
    try:
        the_map = gres_map.load(root)
        if stale := machine.why_stale(root, the_map):
            raise HookError(stale)
        if doubt := machine.why_doubtful(the_map):
            line.warn(doubt)
        bound = _bind(root, job, the_map)
        slices = bound.slices
        line.put(slices=",".join(one.name for one in slices), complete=bound.complete)
        _check(root, bound)
        claims.write_down(root, job, the_map, bound, settings, line)
        _look_for_strangers(root, job, slices, settings, line)
    except HookError:
        _refuse(root, job, slices, settings, line)
        raise
    return 0


def _refuse(root: str, job: Job, slices: tuple[Slice, ...], settings: Settings, line: Line) -> None:
    try:
        claims.refuse(root, job, slices, settings)
    except (OSError, HookError) as error:
        line.warn(f"the refusal is not noted: {error}")


def _check(root: str, bound: binding.Binding) -> None:
    """HookError naming everything that is wrong with the slices."""
    if wrong := machine.problems(root, bound.slices):
        raise HookError("; ".join(wrong))
    if bound.foreign:
        names = ",".join(one.name for one in bound.foreign)
        raise HookError(f"the job can open slices that are not its own: {names}: restart slurmd")


def _bind(root: str, job: Job, the_map: GresMap) -> binding.Binding:
    if the_map.constrained and cgroups.inside(root, job.job_id, job.sluid):
        from slurm_mig.hooks import probe

        return binding.from_opening(job.gpus, the_map, probe.opened(root, the_map))
    return binding.from_environment(job.gpus, the_map)


def _look_for_strangers(
    root: str, job: Job, slices: tuple[Slice, ...], settings: Settings, line: Line
) -> None:
    if settings.foreign_process == "off":
        return
    from slurm_mig.hooks import leftovers

    leftovers.before_job(root, job, slices, settings, line)
