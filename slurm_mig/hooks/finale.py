"""The end of a job in the books: its record closed, its slices given back, its maps removed."""

import posix as os
import time

from slurm_mig.errors import HookError
from slurm_mig.hooks import closing, gres_map, machine, measured
from slurm_mig.hooks.environment import Job
from slurm_mig.hooks.leftovers import Ended
from slurm_mig.hooks.log import ERROR, Line
from slurm_mig.hooks.registry import Content, Registry
from slurm_mig.hooks.settings import Settings
from slurm_mig.hooks.slices import GresMap, Slice
from slurm_mig.system import cgroups, epoch
from slurm_mig.usage import record

_RUN_IN_JOB = "Slurm tells no exit code under PrologFlags=RunInJob"
_NOT_TOLD = "Slurm told none"


def settle(
    root: str,
    registry: Registry,
    job: Job,
    slices: tuple[Slice, ...],
    ended: Ended | None,
    settings: Settings,
    line: Line,
) -> None:
    """Do all of it; what cannot be done is said in `line`, and the rest is done."""
    for step in (
        lambda: registry.lock(),
        lambda: _close(root, registry, job, slices, ended, line),
        lambda: _release(registry, job, slices),
        lambda: _unmap(root, job, slices, settings),
        lambda: registry.unlock(),
        lambda: closing.finish(root, registry),
    ):
        try:
            step()
        except (OSError, HookError) as error:
            line.warn(f"not recorded: {error}", ERROR)


def _release(registry: Registry, job: Job, slices: tuple[Slice, ...]) -> None:
    names = [one.name for one in slices] or registry.bound_to(job.job_id)
    for name in names:
        registry.release(name, job.job_id)


def _unmap(root: str, job: Job, slices: tuple[Slice, ...], settings: Settings) -> None:
    if settings.job_maps:
        from slurm_mig.hooks import jobmaps

        jobmaps.remove(root, settings, slices, job.job_id)


def _close(
    root: str,
    registry: Registry,
    job: Job,
    slices: tuple[Slice, ...],
    ended: Ended | None,
    line: Line,
) -> None:
    """Close the job's record; without a prolog make one, unless it was closed before."""
    found = registry.record(job.job_id)  # again, now that the lock is ours
    begun = found.get("record") if found else None
    if not isinstance(begun, dict):
        found, begun = None, _without_prolog(root, registry, job, slices, line)
        if begun is None:
            return
    inside = cgroups.inside(root, job.job_id, job.sluid)
    told = not inside and job.exit_code is not None
    end = time.time()
    closed = record.closed(
        begun,
        end=end,
        duration_s=_duration_s(root, found),
        exit_code=job.exit_code if told else None,
        signal=job.signal if told else None,
        exit_unknown_why=None if told else _RUN_IN_JOB if inside else _NOT_TOLD,
        repartitioned=_repartitioned(root, begun, slices),
        leftovers=ended.count if ended else None,
    )
    final = measured.added(registry, closed, found)
    closing.begin(root, registry, job.job_id, final, end)
    measured.forget(registry, final)


def _without_prolog(
    root: str, registry: Registry, job: Job, slices: tuple[Slice, ...], line: Line
) -> Content | None:
    """A record with what Slurm and the map say now; None when this job's is closed already."""
    if registry.was_refused(job.job_id):
        line.put(refused=True)
        return None
    boot_id = epoch.boot_id(root)
    if closing.is_known(root, registry, job.job_id, job.restarts, boot_id):
        line.put(again=True)
        return None
    line.warn("no prolog has opened a record for this job")
    about: record.Record = {key: getattr(job, key) for key in record.JOB_KEYS}
    generation = epoch.generation(root)
    named = [record.slice_identity(one.entry, boot_id, generation) for one in slices]
    return record.opened(
        os.urandom(12).hex(),
        about,
        named,
        start=None if job.start is None else float(job.start),
        complete=False,
    )


def _duration_s(root: str, found: Content | None) -> float | None:
    """How long the job had its slices, by a clock that nobody sets; None across a boot."""
    since = found.get("started_boottime_s") if found else None
    if not isinstance(since, float) or found is None or found.get("boot_id") != epoch.boot_id(root):
        return None
    return round(time.clock_gettime(time.CLOCK_BOOTTIME) - since, 3)


def _repartitioned(root: str, begun: record.Record, slices: tuple[Slice, ...]) -> list[bool | None]:
    """For each slice whether it is another one now; None where that cannot be told."""
    identities = begun["slices"]
    if not isinstance(identities, list) or len(identities) != len(slices):
        return [None] * (len(identities) if isinstance(identities, list) else 0)
    now = epoch.generation(root)
    if all(one.get("generation") == now for one in identities):
        return [machine.is_gone(root, one) for one in slices]
    the_map = _map_of_now(root)
    return [_is_another(root, one, the_map) for one in slices]


def _map_of_now(root: str) -> GresMap | None:
    try:
        the_map = gres_map.load(root)
        return None if machine.why_stale(root, the_map) else the_map
    except HookError:
        return None


def _is_another(root: str, one: Slice, the_map: GresMap | None) -> bool | None:
    if machine.is_gone(root, one):
        return True
    if the_map is None:
        return None  # ids and UUIDs come again for another shape: that they are there says nothing
    same = (other for other in the_map.slices if other.name == one.name)
    return not any(_shape(other) == _shape(one) for other in same)


def _shape(one: Slice) -> tuple[object, ...]:
    mig = one.mig
    return (one.gpu_uuid, *((mig.uuid, mig.profile, mig.placement) if mig else ()))
