"""One reconfigure of a node at a time: a lock that dies with its holder, however it dies."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from slurm_mig.errors import HookError, Refused
from slurm_mig.system import rootfiles
from slurm_mig.system.epoch import FOLDER

NAME = "reconfigure.lock"
FILE = f"{FOLDER}/{NAME}"
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PAUSE_S = 0.05


@contextmanager
def only_one(root: Path, wait_s: float) -> Iterator[None]:
    """Be the only one that reconfigures this node, until the block ends. Raises Refused.

    A worker of the one that was killed holds it too, until it has noticed.
    """
    try:
        folder = rootfiles.open_folder(str(root), FOLDER, make=0o755)
        try:
            handle = os.open(NAME, _FLAGS, 0o600, dir_fd=folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise Refused(FILE, [f"{error.strerror}: it must be a file of root's, no link"]) from None
    except HookError as error:
        raise Refused(FILE, [str(error)]) from None
    try:
        _wait(handle, time.monotonic() + wait_s)
        yield
    finally:
        os.close(handle)


def _wait(handle: int, end: float) -> None:
    while True:
        try:
            return flock(handle, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise Refused(
                    "another reconfigure of this node is under way",
                    [f"wait for its end; `fuser {FILE}` names its process"],
                ) from None
        time.sleep(_PAUSE_S)
