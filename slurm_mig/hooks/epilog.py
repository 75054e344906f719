"""After a job: end what it left on its slices, close its record, give the slices back."""

import time

from slurm_mig.errors import HookError
from slurm_mig.hooks import binding, cgroups, closing, gres_map, jobmaps, machine
from slurm_mig.hooks.environment import Job
from slurm_mig.hooks.log import ERROR, Line
from slurm_mig.hooks.registry import Content, Registry
from slurm_mig.hooks.settings import Settings
from slurm_mig.hooks.slices import Slice, dict_of, list_of
from slurm_mig.usage import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def epilog(root: str, environ: "Mapping[bytes, bytes]", settings: Settings, line: Line) -> int:
    """0, or 1 when a process of the job stays on its slices: then this node takes no job."""
    job = Job(environ)
    line.put(job=job.job_id, uid=job.uid, gres=job.gpus)
    registry = Registry(root)
    try:
        found = registry.record(job.job_id)
        slices = _slices(root, job, found, line)
        line.put(slices=",".join(one.name for one in slices))
        if found and isinstance(found.get("record"), dict):
            _close(root, registry, job, found, slices)
        registry.lock()
        for one in slices:
            registry.release(one.name, job.job_id)
        jobmaps.remove(root, settings, slices, job.job_id)
        registry.unlock()
        closing.finish(root, registry)
    finally:
        registry.close()
    line.put(decision="ok")
    return 0


def _slices(root: str, job: Job, found: Content | None, line: Line) -> tuple[Slice, ...]:
    """Those that the prolog saw; without a prolog, those that the environment names now."""
    if found:
        try:
            return tuple(Slice(dict_of(entry, "gres")) for entry in list_of(found, "gres"))
        except HookError as error:
            line.warn(f"the open record is damaged: {error}", ERROR)
    return binding.resolve(job.gpus, gres_map.load(root))


def _close(
    root: str, registry: Registry, job: Job, found: Content, slices: tuple[Slice, ...]
) -> None:
    begun = found["record"]
    assert isinstance(begun, dict)  # noqa: S101 (the caller looked)
    end = time.time()
    since = found.get("started_boottime_s")
    in_job = cgroups.inside(root, job)
    final = record.closed(
        begun,
        end=end,
        duration_s=(
            time.clock_gettime(time.CLOCK_BOOTTIME) - since if isinstance(since, float) else None
        ),
        exit_code=None if in_job else job.exit_code,
        signal=None if in_job else job.signal,
        exit_unknown_why="Slurm tells no exit code under PrologFlags=RunInJob" if in_job else None,
        repartitioned=[machine.is_gone(root, one) for one in slices],
        leftovers=None,
    )
    closing.begin(root, registry, job.job_id, final, end)
