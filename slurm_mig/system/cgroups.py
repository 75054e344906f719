"""Where Slurm keeps a job's processes, by its cgroups' names. Slow paths only, but `inside`.

v1: <controller>/slurm[_NODE]/uid_U/job_J/step_S/task_T
v2: system.slice/[NODE_]slurmstepd.scope/job_J/step_S/user/task_T; from Slurm 26.05 a SLUID
    (s5K1KKYAYG5D00) stands in the place of job_J, unless CgroupJobIdPaths=yes
"""

import posix as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_MOUNT = "/sys/fs/cgroup"
_SCOPE = "slurmstepd.scope"
_IS_FOLDER = 0o040000


def job_of(cgroup: str) -> str | None:
    """The job that the text of a /proc/PID/cgroup names: its number, or its SLUID.

    None when the process belongs to no job of Slurm's.
    """
    for line in cgroup.splitlines():
        parts = line.split("/")
        for place, name in enumerate(parts):
            if name.startswith("job_") and name[4:].isdigit():
                return name[4:]
            if place and parts[place - 1].endswith(_SCOPE) and name not in ("", "system"):
                return name
    return None


def service_of(cgroup: str) -> str | None:
    """The machine's own systemd service that the text of a /proc/PID/cgroup names.

    Only below system.slice: a user's service manager has services of any name.
    """
    for line in cgroup.splitlines():
        path = line.split(":", 2)[-1]
        if path.startswith("/system.slice/"):
            for name in path.split("/"):
                if name.endswith(".service"):
                    return name
    return None


def inside(root: str, job_id: int, sluid: str | None) -> bool:
    """Whether this process itself runs in the job's cgroup (PrologFlags=RunInJob)."""
    named = job_of(text(root, "self") or text("/", "self"))
    return named is not None and named in (str(job_id), sluid)


def text(root: str, pid: str) -> str:
    """/proc/PID/cgroup; empty when there is no such process."""
    try:
        handle = os.open(f"{root}/proc/{pid}/cgroup", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(handle, 1 << 16).decode("utf-8", "backslashreplace")
    except OSError:
        return ""
    finally:
        os.close(handle)


def is_tracking(root: str) -> bool:
    """Whether Slurm keeps jobs in cgroups on this machine, as far as its folders tell."""
    return any(True for _ in _slurm_folders(root))


def job_folders(root: str, job_id: int, uid: int | None, sluid: str | None) -> list[str]:
    """The job's cgroup folders that are there now, one for each hierarchy."""
    found = []
    for folder in _slurm_folders(root):
        if folder.endswith(_SCOPE):
            names = [f"job_{job_id}", *([sluid] if sluid else [])]
        else:
            names = [f"uid_{uid}/job_{job_id}"]
        found += [path for name in names if is_folder(path := f"{folder}/{name}")]
    return found


def processes(folders: list[str]) -> set[int]:
    """Every process in these folders, and below them."""
    pids: set[int] = set()
    for folder in folders:
        inner = (f"{folder}/{name}" for name in _names(folder))
        pids.update(_listed(f"{folder}/cgroup.procs"))
        pids |= processes([path for path in inner if is_folder(path)])
    return pids


def may_hold(folder: str) -> bool:
    """Whether that is a cgroup, which a process might enter."""
    return "cgroup.procs" in _names(folder)


def is_folder(path: str) -> bool:
    """Whether there is such a folder; a link to one is none."""
    try:
        return os.lstat(path).st_mode & 0o170000 == _IS_FOLDER
    except OSError:
        return False


def _listed(path: str) -> list[int]:
    try:
        with open(path) as procs:
            return [int(line) for line in procs]
    except (OSError, ValueError):  # the folder went away
        return []


def _slurm_folders(root: str) -> "Iterator[str]":
    """.../slurm[_NODE] of each v1 controller, .../[NODE_]slurmstepd.scope of v2."""
    top = f"{root}{_MOUNT}"
    places = [f"{top}/{name}" for name in _names(top)]
    for place in places:
        yield from (f"{place}/{name}" for name in _names(place) if _is_slurm(name))
    for slice_ in (f"{top}/system.slice", f"{top}/unified/system.slice"):
        yield from (f"{slice_}/{name}" for name in _names(slice_) if name.endswith(_SCOPE))


def _is_slurm(name: str) -> bool:
    return name == "slurm" or name.startswith("slurm_")


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
