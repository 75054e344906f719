"""Processes that have a slice open, told by what their descriptors lead to: no NVML.

A process is its number together with its start time; a number alone is soon another's. Nothing
is opened and no file system but /proc and /dev is asked, so that nothing can make us wait.
"""

import posix as os
import time

from slurm_mig.system import cgroups
from slurm_mig.system.cgroups import is_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_IS_DEVICE = 0o020000  # a character device


class Process:
    """One that has a slice open. `uid` is the real user; `job` what its cgroup names."""

    __slots__ = ("job", "name", "pid", "start", "uid")

    def __init__(self, pid: int, start: int, uid: int, job: str | None, name: str) -> None:
        self.pid = pid
        self.start = start
        self.uid = uid
        self.job = job
        self.name = name

    def __str__(self) -> str:
        return f"{self.pid} ({self.name}, uid {self.uid})"


class Search:
    """A search for those that have one of these devices open; `timed_out` if it was cut short."""

    def __init__(self, root: str, files: "tuple[tuple[str, int, int], ...]") -> None:
        self._root = root
        self._names = {path.rpartition("/")[2] for path, _, _ in files}
        self._devices = {os.makedev(major, minor) for _, major, minor in files}
        self.timed_out = False

    def run(self, wanted: "Callable[[int, int], bool]", limit_s: float) -> list[Process]:
        """All of them for whom `wanted(pid, uid)`, looked at for at most `limit_s`."""
        end = time.monotonic() + limit_s
        found = []
        for pid, uid in self._users():
            if time.monotonic() > end:
                self.timed_out = True
                break
            if wanted(pid, uid) and self.holds(pid) and (one := self._describe(pid, uid)):
                found.append(one)
        return found

    def _users(self) -> "Iterator[tuple[int, int]]":
        own = os.getpid()
        for name in os.listdir(f"{self._root}/proc"):
            if name.isdigit() and int(name) != own:
                uid = real_uid(f"{self._root}/proc/{name}")
                if uid is not None:
                    yield int(name), uid

    def holds(self, pid: int) -> bool:
        """Whether it has one of the devices open, now."""
        folder = f"{self._root}/proc/{pid}/fd"
        try:
            return any(self._leads_here(f"{folder}/{name}") for name in os.listdir(folder))
        except OSError:  # gone
            return False

    def _leads_here(self, link: str) -> bool:
        try:
            target = os.readlink(link).removesuffix(" (deleted)")
            # Only what may be the device is looked at: a file of a dead NFS server would keep
            # us for ever. "/" is a file mounted alone in a name space that is not ours.
            if target != "/" and target.rpartition("/")[2] not in self._names:
                return False
            found = os.stat(link)
        except OSError:
            return False
        return found.st_mode & 0o170000 == _IS_DEVICE and found.st_rdev in self._devices

    def _describe(self, pid: int, uid: int) -> Process | None:
        told = start_and_name(self._root, pid)
        if told is None:
            return None
        job = cgroups.job_of(cgroups.text(self._root, str(pid)))
        return Process(pid, told[0], uid, job, told[1])


def real_uid(folder: str) -> int | None:
    """Whose process that is, by its folder in /proc; None when it is gone."""
    try:
        uid = os.stat(folder).st_uid
        if uid != 0:
            return uid
        # Root's, the kernel's, or somebody's who forbade core dumps: those look like root's.
        os.readlink(f"{folder}/exe")
        with open(f"{folder}/status", "rb") as status:
            for line in status:
                if line.startswith(b"Uid:"):
                    return int(line.split()[1])
    except FileNotFoundError:  # the kernel's have no exe
        return 0 if is_folder(folder) else None
    except OSError:
        return None
    return 0


def start_and_name(root: str, pid: int) -> tuple[int, str] | None:
    """When it started (clock ticks since boot) and its name; None when it is gone or a zombie."""
    try:
        with open(f"{root}/proc/{pid}/stat", "rb") as file:
            head, _, rest = file.read(4096).rpartition(b")")
    except OSError:
        return None
    fields = rest.split()
    if len(fields) < 20 or fields[0] in (b"Z", b"X"):
        return None
    return int(fields[19]), head.partition(b"(")[2].decode("utf-8", "backslashreplace")
