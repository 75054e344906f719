"""What the monitor measured of a job, put into its record when that is closed.

The monitor keeps it in /run/slurm-mig/usage/JOBID.RECORDID, and what it saw of the job's device
cgroup beside it. Without a monitor there is neither, and the record says null.
"""

import posix as os

from slurm_mig.errors import HookError
from slurm_mig.hooks.registry import Content, Registry, read
from slurm_mig.system import rootfiles
from slurm_mig.usage.record import Record

FOLDER = "usage"  # in the registry's
DEVICES = ".devices"
_LIMIT = 4 << 20


def added(registry: Registry, final: Record, found: Content | None) -> Record:
    """The closed record with what was measured; `found` is the open record's file.

    Raises nothing: a record comes first.
    """
    name = _name(final)
    try:
        data = rootfiles.read_file(registry.folder, name, _LIMIT)
    except (OSError, HookError):
        return final
    slices, told = final["slices"], final
    assert isinstance(slices, list)  # noqa: S101 (a record is made by `opened`)
    from slurm_mig.usage import figures, sums  # only where there is something to read

    if (job := sums.read(data)) is not None:
        since_s = _seconds(found.get("started_boottime_s") if found else None)
        measured = figures.usage(job, slices, _seconds(final["duration_s"]), since_s)
        marked = [{**one, "usage": usage} for one, usage in zip(slices, measured, strict=True)]
        told = {**final, "slices": marked, "power": figures.power(job, slices)}
    return {**told, "device_check": _device_check(registry, name)}


def _seconds(value: object) -> float | None:
    return value if isinstance(value, float) else None


def forget(registry: Registry, final: Record) -> None:
    """Remove what is in the record now. Raises OSError."""
    name = _name(final)
    if rootfiles.remove(registry.folder, name):
        rootfiles.remove(registry.folder, f"{name}{DEVICES}")


def sweep(registry: Registry) -> None:
    """Remove what belongs to no open record. Raises OSError, HookError. Hold the lock."""
    try:
        folder = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC,
                         dir_fd=registry.folder)  # fmt: skip
    except FileNotFoundError:
        return
    try:
        kept = {_id_of(registry, job_id) for job_id in registry.open_jobs()}
        for name in os.listdir(folder):
            if ".".join(name.lstrip(".").split(".")[:2]) not in kept:
                rootfiles.remove(folder, name)
    finally:
        os.close(folder)


def _id_of(registry: Registry, job_id: int) -> str:
    begun = (registry.record(job_id) or {}).get("record")
    return f"{job_id}.{begun['record_id']}" if isinstance(begun, dict) else ""


def _name(record: Record) -> str:
    return f"{FOLDER}/{record['job_id']}.{record['record_id']}"


def _device_check(registry: Registry, name: str) -> Record | None:
    try:
        found = read(registry.folder, f"{name}{DEVICES}")
    except (OSError, HookError):
        return None
    return found or None
