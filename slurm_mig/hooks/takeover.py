"""A slice that is bound to another job: to a dead one, whose record is closed, or a live one."""

import os
import time

from slurm_mig.errors import HookError
from slurm_mig.hooks import closing
from slurm_mig.hooks.registry import Content, Registry
from slurm_mig.hooks.slices import Slice
from slurm_mig.usage import record


def take(root: str, registry: Registry, one: Slice, held: Content, boot_id: str) -> None:
    """Free the slice of a dead job. HookError if the job may be alive. Hold the lock."""
    job_id = held.get("job_id")
    if isinstance(job_id, int) and held.get("boot_id") == boot_id and is_alive(root, job_id):
        raise HookError(f"{one.name} is bound to job {job_id}, which is running")
    if isinstance(job_id, int):
        close_dead(root, registry, job_id)
        registry.release(one.name, job_id)
    else:
        registry.release(one.name, 0)


def close_dead(root: str, registry: Registry, job_id: int) -> None:
    """Close the record of a job whose epilog never came: its end is not known."""
    found = registry.record(job_id)
    begun = found.get("record") if found else None
    if not isinstance(begun, dict):
        return
    final = record.closed(
        begun, end=None, duration_s=None, exit_code=None, signal=None,
        exit_unknown_why="the epilog did not run to its end",
        repartitioned=[None] * len(begun["slices"]), leftovers=None,
    )  # fmt: skip
    closing.begin(root, registry, job_id, final, time.time())


def is_alive(root: str, job_id: int) -> bool:
    """Whether any process of the job, or its slurmstepd, is there."""
    from slurm_mig.hooks.cgroups import _cgroup, job_of

    for pid in os.listdir(f"{root}/proc"):
        if pid.isdigit() and (job_of(_cgroup(root, pid)) == str(job_id)):
            return True
    return False
