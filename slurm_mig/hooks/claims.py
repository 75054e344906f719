"""What a prolog writes down: whose the slices are, and the open record of the job."""

import time

from slurm_mig.errors import HookError
from slurm_mig.hooks import closing, opening
from slurm_mig.hooks.binding import Binding
from slurm_mig.hooks.environment import Job
from slurm_mig.hooks.log import ERROR, Line
from slurm_mig.hooks.registry import Content, Registry
from slurm_mig.hooks.settings import Settings
from slurm_mig.hooks.slices import GresMap, Slice
from slurm_mig.system.epoch import FOLDER


def write_down(
    root: str, job: Job, the_map: GresMap, bound: Binding, settings: Settings, line: Line
) -> None:
    """Bindings, open record, job maps. HookError if a slice is another living job's.

    What cannot be written costs the record, never the job.
    """
    try:
        registry = Registry(root)
    except OSError as error:
        return line.warn(f"nothing is recorded: {FOLDER}: {error.strerror}", ERROR)
    try:
        _lock(registry, line)
        _claim(root, registry, job, the_map, bound.slices, line)
        try:
            _open_record(root, registry, job, the_map, bound)
            if settings.job_maps:
                from slurm_mig.hooks import jobmaps

                jobmaps.add(root, settings, bound.slices, job.job_id, job.uid or 0)
        except (OSError, HookError) as error:
            line.warn(f"not recorded: {error}", ERROR)
        registry.unlock()
        _help_others(root, registry, job, line)
    finally:
        registry.close()
    return None


def refuse(root: str, job: Job, slices: tuple[Slice, ...], settings: Settings) -> None:
    """The job does not start here: what there is of it goes, and its epilog is told.

    Raises OSError or HookError.
    """
    registry = Registry(root)
    try:
        registry.lock()
        registry.mark_refused(job.job_id)
        if settings.job_maps:
            from slurm_mig.hooks import jobmaps

            jobmaps.remove(root, settings, slices, job.job_id)
        for one in slices:
            registry.release(one.name, job.job_id)
        begun = (registry.record(job.job_id) or {}).get("record")
        if isinstance(begun, dict) and begun.get("restarts") == job.restarts:
            registry.drop_record(job.job_id)
    finally:
        registry.close()


def _lock(registry: Registry, line: Line) -> None:
    try:
        registry.lock()
    except OSError as error:  # a full or read-only /run: what is there can still be read
        line.warn(f"no lock: {FOLDER}: {error.strerror}", ERROR)


def _claim(
    root: str,
    registry: Registry,
    job: Job,
    the_map: GresMap,
    slices: tuple[Slice, ...],
    line: Line,
) -> None:
    """All of the slices, or none of them and HookError."""
    mine: Content = {
        "job_id": job.job_id,
        "uid": job.uid,
        "sluid": job.sluid,
        "start": time.time(),
        "boot_id": the_map.boot_id,
    }
    made: list[Slice] = []
    try:
        for one in slices:
            if not _is_ours(root, registry, job, the_map, one, line):
                registry.bind(one.name, mine)
                made.append(one)
    except OSError as error:
        line.warn(f"bindings cannot be written: {FOLDER}: {error.strerror}", ERROR)
    except BaseException:
        for one in made:
            registry.release(one.name, job.job_id)
        raise


def _is_ours(
    root: str, registry: Registry, job: Job, the_map: GresMap, one: Slice, line: Line
) -> bool:
    """Whether it is bound to this job; HookError if it is bound to another one that lives."""
    held = registry.holder(one.name)
    if held is None:
        return False
    if held.get("job_id") == job.job_id and held.get("boot_id") == the_map.boot_id:
        return True
    from slurm_mig.hooks import dead  # rare: that job's epilog did not come to its end

    dead.take_over(root, registry, one.name, held, the_map.boot_id)
    line.warn(f"{one.name} was still bound to job {held.get('job_id')}, which is gone")
    return False


def _open_record(root: str, registry: Registry, job: Job, the_map: GresMap, bound: Binding) -> None:
    found = registry.record(job.job_id)
    begun = found.get("record") if found else None
    if found and isinstance(begun, dict):
        same_run = begun.get("restarts") == job.restarts and found["boot_id"] == the_map.boot_id
        if same_run:
            return  # its prolog has run before: the beginning stays
        from slurm_mig.hooks import dead  # rare: a requeued job whose epilog never ran here

        dead.close_record(root, registry, job.job_id)
    registry.forget_refusal(job.job_id)
    registry.write_record(job.job_id, opening.open_record(job, the_map, bound))
    registry.mark_incomplete(job.job_id, incomplete=not bound.complete)


def _help_others(root: str, registry: Registry, job: Job, line: Line) -> None:
    """Records of other jobs that a killed hook left, or a full disk, or that lack slices."""
    try:
        closing.finish(root, registry)
        if registry.incomplete():
            from slurm_mig.hooks import complete

            complete.others(root, registry, job.job_id, line)
    except (OSError, HookError) as error:
        line.warn(f"other jobs' records wait: {error}")
