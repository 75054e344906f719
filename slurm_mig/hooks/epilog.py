"""After a job: end what it left on its slices, close its record, give the slices back.

Whatever one part cannot do, the next is done all the same.
"""

from slurm_mig.errors import HookError
from slurm_mig.hooks import binding, finale, gres_map, leftovers, machine
from slurm_mig.hooks.environment import Job
from slurm_mig.hooks.leftovers import Ended
from slurm_mig.hooks.log import ERROR, Line
from slurm_mig.hooks.registry import Content, Registry
from slurm_mig.hooks.settings import Settings
from slurm_mig.hooks.slices import Slice, dict_of, list_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def epilog(root: str, environ: "Mapping[bytes, bytes]", settings: Settings, line: Line) -> int:
    """0, or 1 when a process of the job stays on its slices: then the node takes no job."""
    job = Job(environ)
    line.put(job=job.job_id, uid=job.uid, gres=job.gpus)
    registry = _registry(root, line)
    try:
        found = registry.record(job.job_id) if registry else None
        slices = _slices(root, job, found, line)
        line.put(slices=",".join(one.name for one in slices))
        ended = _end_leftovers(root, job, slices, found, registry, settings, line)
        if registry:
            finale.settle(root, registry, job, slices, ended, settings, line)
    finally:
        if registry:
            registry.close()
    if ended and ended.staying:
        line.warn(f"stayed: {', '.join(map(str, ended.staying))}", ERROR)
        return 1
    return 0


def _registry(root: str, line: Line) -> Registry | None:
    try:
        return Registry(root)
    except (OSError, HookError) as error:
        line.warn(f"nothing is recorded: {error}", ERROR)
        return None


def _is_complete(found: Content | None) -> bool:
    begun = found.get("record") if found else None
    return isinstance(begun, dict) and begun.get("complete") is True


def _slices(root: str, job: Job, found: Content | None, line: Line) -> tuple[Slice, ...]:
    """Those that the prolog saw; without a prolog, those that the environment names now."""
    try:
        if found:
            return tuple(Slice(dict_of(entry, "gres")) for entry in list_of(found, "gres"))
        the_map = gres_map.load(root)
        if stale := machine.why_stale(root, the_map):
            raise HookError(stale)
        return binding.resolve(job.gpus, the_map)
    except (OSError, HookError) as error:
        line.warn(f"the job's slices are not known: {error}", ERROR)
        return ()


def _end_leftovers(
    root: str,
    job: Job,
    slices: tuple[Slice, ...],
    found: Content | None,
    registry: Registry | None,
    settings: Settings,
    line: Line,
) -> Ended | None:
    """None: nobody looked."""
    if settings.leftovers == "off" or not slices:
        return None
    try:
        perhaps: tuple[Slice, ...] = ()
        if registry and not _is_complete(found):
            from slurm_mig.hooks import unnamed  # only where a node has two types

            perhaps = unnamed.slices(root, registry, job, slices)
        ended = leftovers.after_job(root, job, slices, settings, line, perhaps)
    except (OSError, HookError) as error:
        line.warn(f"nobody could look for what the job left behind: {error}", ERROR)
        return None
    if ended.count:
        line.put(ended=ended.count)
    return ended if ended.looked or ended.staying else None
