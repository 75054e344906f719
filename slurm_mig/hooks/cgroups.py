"""Where Slurm keeps a job's processes: the names in /proc/PID/cgroup, and the folders."""

import os

from slurm_mig.hooks.environment import Job


def job_of(cgroup: str) -> str | None:
    """The job that a /proc/PID/cgroup names: its number, or from Slurm 26.05 its SLUID.

    None when the process belongs to no job.
    """
    for line in cgroup.splitlines():
        parts = line.split("/")
        for above, name, below in zip(parts, parts[1:], parts[2:], strict=False):
            if not below.startswith("step_") and not name.startswith("job_"):
                continue
            if name.startswith("job_") and name[4:].isdigit():
                return name[4:]
            if above.endswith("slurmstepd.scope"):
                return name
        if parts[-1].startswith("job_") and parts[-1][4:].isdigit():
            return parts[-1][4:]
    return None


def is_of(named: str | None, job: Job) -> bool:
    """Whether `job_of` named this job."""
    return named is not None and named in (str(job.job_id), job.sluid)


def inside(root: str, job: Job) -> bool:
    """Whether this process itself runs in the job's cgroup (PrologFlags=RunInJob)."""
    return is_of(job_of(_cgroup(root, "self")), job)


def _cgroup(root: str, pid: str) -> str:
    try:
        handle = os.open(f"{root}/proc/{pid}/cgroup", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        if root != "/" and pid == "self":
            return _cgroup("/", pid)
        return ""
    except OSError:
        return ""
    try:
        return os.read(handle, 1 << 16).decode("utf-8", "backslashreplace")
    except OSError:
        return ""
    finally:
        os.close(handle)
