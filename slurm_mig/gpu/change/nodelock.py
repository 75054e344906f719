"""One change of a node's GPUs at a time: a lock that dies with its holder, however it dies."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EDQUOT, ENOENT, ENOSPC, EROFS
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from slurm_mig.errors import HookError, Refused
from slurm_mig.system import rootfiles
from slurm_mig.system.epoch import FOLDER
from slurm_mig.system.printable import command_line, printable
from slurm_mig.system.processes import start_and_name

NAME = "partition.lock"
WHAT = "change of this node's GPUs"
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LIMIT = 4096
_PAUSE_S = 0.05


@contextmanager
def only_one(root: Path, wait_s: float, name: str = NAME, what: str = WHAT) -> Iterator[None]:
    """Be the only one that does `what`, until the block ends; the lock's file has that `name`.

    Raises Refused, saying who is at it, when that is another one for `wait_s`; and when the lock
    cannot be had for another reason.
    """
    handle = _open(root, name)
    try:
        _wait(root, handle, time.monotonic() + wait_s, name, what)
        with suppress(OSError):  # it only tells others who it is; a full /run takes no name
            _sign(handle)
        try:
            yield
        finally:
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def holder(root: Path, name: str = NAME) -> str | None:
    """Who has the lock, as far as it can be told; None when nobody says that he has."""
    try:
        data = rootfiles.read_in(str(root), FOLDER, name, _LIMIT)
        said = json.loads(data)
        pid, start, since = (int(said[key]) for key in ("pid", "start", "since"))
        command = printable(str(said["command"]))
    except (OSError, HookError, ValueError, KeyError, TypeError):
        return None
    told = start_and_name("/", pid)
    if told is None or told[0] != start:
        return None
    return f"process {pid} ({command}), since {_clock(since)}"


def _open(root: Path, name: str) -> int:
    file = f"{FOLDER}/{name}"
    try:
        folder = rootfiles.open_folder(str(root), FOLDER, make=0o755)
        try:
            handle = os.open(name, _FLAGS, 0o600, dir_fd=folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise Refused(file, [f"{error.strerror}: {_what_helps(error)}"]) from None
    except HookError as error:
        raise Refused(file, [str(error)]) from None
    found = os.fstat(handle)
    if found.st_mode & 0o170000 != 0o100000 or found.st_uid != 0 or found.st_nlink != 1:
        os.close(handle)
        raise Refused(file, ["it is no file of root's alone: remove it"])
    return handle


def _what_helps(error: OSError) -> str:
    if error.errno in (ENOSPC, EDQUOT):
        return "make room there"
    if error.errno == EROFS:
        return "have it mounted writable"
    if error.errno == ENOENT:
        return "what --root names is not there"
    return "it must be a file of root's, no link"


def _wait(root: Path, handle: int, end: float, name: str, what: str) -> None:
    while True:
        try:
            return flock(handle, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                who = holder(root, name) or f"a process that `fuser {FOLDER}/{name}` names"
                raise Refused(
                    f"another {what} is under way", [f"{who}: wait for its end"]
                ) from None
        time.sleep(_PAUSE_S)


def _sign(handle: int) -> None:
    pid = os.getpid()
    told = start_and_name("/", pid)
    command = command_line(Path("/proc/self/cmdline").read_bytes(), "slurm-mig", 200)
    said = {
        "pid": pid,
        "start": told[0] if told else 0,
        "since": int(time.time()),
        "command": command,
    }
    os.ftruncate(handle, 0)
    os.pwrite(handle, json.dumps(said).encode(), 0)


def _clock(since: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(since))
