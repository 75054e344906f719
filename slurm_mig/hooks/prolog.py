"""Before a job: are the slices that Slurm chose there, right and free? Then write it down."""

import os
import time

from slurm_mig.errors import HookError
from slurm_mig.hooks import binding, cgroups, closing, gres_map, jobmaps, machine, probe
from slurm_mig.hooks.environment import Job
from slurm_mig.hooks.log import ERROR, Line
from slurm_mig.hooks.registry import Content, Registry
from slurm_mig.hooks.settings import Settings
from slurm_mig.hooks.slices import GresMap, Slice
from slurm_mig.usage import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def prolog(root: str, environ: "Mapping[bytes, bytes]", settings: Settings, line: Line) -> int:
    """0: the job may start. HookError: it may not, and this node takes no job, until looked at."""
    job = Job(environ)
    line.put(job=job.job_id, uid=job.uid, gres=job.gpus)
    the_map = gres_map.load(root)
    if stale := machine.why_stale(root, the_map):
        raise HookError(stale)
    bound = _bind(root, job, the_map)
    line.put(slices=",".join(one.name for one in bound.slices))
    if wrong := machine.problems(root, bound.slices):
        raise HookError("; ".join(wrong))
    if bound.foreign:
        names = ",".join(one.name for one in bound.foreign)
        raise HookError(f"the job can open slices that are not its own: {names}")
    _write_down(root, job, the_map, bound, settings, line)
    line.put(decision="ok")
    return 0


def _bind(root: str, job: Job, the_map: GresMap) -> binding.Binding:
    if the_map.constrained and cgroups.inside(root, job):
        return binding.from_opening(job.gpus, the_map, probe.opened(root, the_map))
    return binding.from_environment(job.gpus, the_map)


def _write_down(
    root: str, job: Job, the_map: GresMap, bound: binding.Binding, settings: Settings, line: Line
) -> None:
    """Bindings, open record, maps. HookError if a slice is another job's.

    What cannot be written costs the record, never the job.
    """
    try:
        registry = Registry(root)
    except OSError as error:
        return line.warn(f"nothing is recorded: {gres_map.FOLDER}: {error.strerror}", ERROR)
    try:
        registry.lock()
        _claim(root, registry, job, the_map, bound.slices)
        try:
            _open_record(registry, job, the_map, bound)
            jobmaps.add(root, settings, bound.slices, job.job_id, job.uid or 0)
        except (OSError, HookError) as error:
            line.warn(f"not recorded: {error}", ERROR)
        registry.unlock()
        try:
            closing.finish(root, registry)
        except (OSError, HookError) as error:
            line.warn(f"earlier jobs' records wait: {error}")
    finally:
        registry.close()


def _claim(
    root: str, registry: Registry, job: Job, the_map: GresMap, slices: tuple[Slice, ...]
) -> None:
    """All of the slices, or none of them and HookError."""
    mine: Content = {
        "job_id": job.job_id, "uid": job.uid, "start": time.time(), "boot_id": the_map.boot_id,
    }  # fmt: skip
    made: list[Slice] = []
    try:
        for one in slices:
            if _is_mine_already(root, registry, job, the_map, one):
                continue
            registry.bind(one.name, mine)
            made.append(one)
    except BaseException:
        for one in made:
            registry.release(one.name, job.job_id)
        raise


def _is_mine_already(root: str, registry: Registry, job: Job, the_map: GresMap, one: Slice) -> bool:
    """Whether the slice is bound to this job; HookError if it is bound to a living other one."""
    held = registry.holder(one.name)
    if held is None:
        return False
    if held.get("job_id") == job.job_id and held.get("boot_id") == the_map.boot_id:
        return True
    from slurm_mig.hooks import takeover  # rare: the epilog of that job did not come to its end

    takeover.take(root, registry, one, held, the_map.boot_id)
    return False


def _open_record(registry: Registry, job: Job, the_map: GresMap, bound: binding.Binding) -> None:
    found = registry.record(job.job_id)
    if found and isinstance(found.get("record"), dict):
        return  # this job's prolog has run before: its beginning stays
    registry.write_record(job.job_id, open_record(job, the_map, bound))


def open_record(job: Job, the_map: GresMap, bound: binding.Binding) -> dict[str, object]:
    """What stands in jobs/JOBID.json: the record so far, and what the epilog will need."""
    identities = [
        record.slice_identity(one.entry, the_map.boot_id, the_map.generation)
        for one in bound.slices
    ]
    about: record.Record = {key: getattr(job, key) for key in record.JOB_KEYS}
    return {
        "version": 1,
        "record": record.opened(
            os.urandom(12).hex(), about, identities, start=time.time(), complete=bound.complete
        ),
        "gres": [one.entry for one in bound.slices],
        "boot_id": the_map.boot_id,
        "started_boottime_s": time.clock_gettime(time.CLOCK_BOOTTIME),
    }
