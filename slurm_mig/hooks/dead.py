"""Jobs whose epilog never came to its end: told from the living, their records closed."""

import posix as os
import time

from slurm_mig.errors import HookError
from slurm_mig.hooks import closing, measured
from slurm_mig.hooks.registry import Content, Registry
from slurm_mig.system import cgroups, epoch
from slurm_mig.usage import record

_WHY = "the epilog did not run to its end"
_REFUSAL_S = 24 * 3600.0  # an epilog that has not come by then does not come


def take_over(root: str, registry: Registry, name: str, held: Content, boot_id: str) -> None:
    """Free the slice `name` of a dead job. HookError if the job may live. Hold the lock."""
    job_id = held.get("job_id")
    if not isinstance(job_id, int):  # half written by a hook that was killed, before the lock
        registry.discard(name)
        return
    if held.get("boot_id") == boot_id and is_alive(root, job_id, held):
        raise HookError(f"{name} is bound to job {job_id}, which is still here: see its epilog")
    close_record(root, registry, job_id)
    registry.release(name, job_id)


def close_record(root: str, registry: Registry, job_id: int) -> None:
    """Close the record of a job whose end nobody saw. Raises OSError. Hold the lock."""
    found = registry.record(job_id)
    begun = found.get("record") if found else None
    if not isinstance(begun, dict):
        registry.drop_record(job_id)
        return
    closed = record.closed(
        begun,
        end=None,
        duration_s=None,
        exit_code=None,
        signal=None,
        exit_unknown_why=_WHY,
        repartitioned=[None] * len(begun["slices"]),
        leftovers=None,
    )
    final = measured.added(registry, closed, found)
    closing.begin(root, registry, job_id, final, time.time())
    measured.forget(registry, final)


def sweep(root: str) -> int:
    """Close what certainly has no job any more, and finish what waits; how many were closed.

    Whenever a map is made: it looks at everything. Certain is an earlier boot, or that none of
    its slices is bound to it. A job that only holds its allocation has no process to be seen
    by, so to have none is no sign of death. Raises OSError or HookError.
    """
    registry = Registry(root)
    try:
        registry.lock()
        gone = [
            job_id for job_id in registry.open_jobs() if _is_certainly_gone(root, registry, job_id)
        ]
        for job_id in gone:
            close_record(root, registry, job_id)
            for name in registry.bound_to(job_id):
                registry.release(name, job_id)
        registry.forget_refusals(before=time.time() - _REFUSAL_S)
        registry.drop_drafts()
        measured.sweep(registry)
        registry.unlock()
        while closing.finish(root, registry):
            pass
        return len(gone)
    finally:
        registry.close()


def _is_certainly_gone(root: str, registry: Registry, job_id: int) -> bool:
    found = registry.record(job_id) or {}
    return found.get("boot_id") != epoch.boot_id(root) or not registry.bound_to(job_id)


def is_alive(root: str, job_id: int, held: Content) -> bool:
    """Whether a process of the job is there; `held`: its binding or open record.

    Where Slurm keeps jobs in cgroups, these tell. Elsewhere its slurmstepd is looked for.
    """
    about = held.get("record", held)
    uid = about.get("uid") if isinstance(about, dict) else None
    sluid = held.get("sluid")
    if cgroups.is_tracking(root):
        folders = cgroups.job_folders(
            root,
            job_id,
            uid if isinstance(uid, int) else None,
            sluid if isinstance(sluid, str) else None,
        )
        return bool(cgroups.processes(folders))
    return any(_is_stepd(root, pid, job_id) for pid in os.listdir(f"{root}/proc") if pid.isdigit())


def _is_stepd(root: str, pid: str, job_id: int) -> bool:
    """slurmstepd calls itself "slurmstepd: [JOB.STEP]", and root's it is."""
    try:
        if os.stat(f"{root}/proc/{pid}").st_uid != 0:
            return False
        with open(f"{root}/proc/{pid}/cmdline", "rb") as file:
            return file.read(64).startswith(b"slurmstepd: [%d." % job_id)
    except OSError:
        return False
