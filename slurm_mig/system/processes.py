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
        found = []
        for pid in self.pids(limit_s):
            uid = real_uid(f"{self._root}/proc/{pid}")
            if uid is None:
                continue
            if wanted(pid, uid) and self.holds(pid) and (one := self._describe(pid, uid)):
                found.append(one)
        return found

    def pids(self, limit_s: float) -> "Iterator[int]":
        """Every process but this one, for at most `limit_s`."""
        end, own = time.monotonic() + limit_s, os.getpid()
        for name in os.listdir(f"{self._root}/proc"):
            if name.isdigit() and int(name) != own:
                if time.monotonic() > end:
                    self.timed_out = True
                    return
                yield int(name)

    def holds(self, pid: int) -> bool:
        """Whether it has one of the devices open, now."""
        try:
            return any(device is not None for device in self._open(pid))
        except OSError:  # gone
            return False

    def held(self, pid: int) -> "set[int]":
        """Which of the devices it has open, now, by their numbers (st_rdev).

        Raises OSError: FileNotFoundError or ProcessLookupError when it is gone, PermissionError
        when it cannot be looked at.
        """
        return {device for device in self._open(pid) if device is not None}

    def _open(self, pid: int) -> "Iterator[int | None]":
        folder = f"{self._root}/proc/{pid}/fd"
        return (self._device(f"{folder}/{name}") for name in os.listdir(folder))

    def _device(self, link: str) -> int | None:
        """Which of the devices a descriptor leads to; None: to none of them."""
        try:
            target = os.readlink(link).removesuffix(" (deleted)")
            # Only what may be the device is looked at: a file of a dead NFS server would keep
            # us for ever. "/" is a file mounted alone in a name space that is not ours.
            if target != "/" and target.rpartition("/")[2] not in self._names:
                return None
            found = os.stat(link)
        except OSError:
            return None
        is_one = found.st_mode & 0o170000 == _IS_DEVICE and found.st_rdev in self._devices
        return found.st_rdev if is_one else None

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
