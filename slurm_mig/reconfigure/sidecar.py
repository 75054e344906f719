"""A file beside one that several reconfigures write to: their lock, and what they have written.

`.slurm.conf.slurm-mig` lies beside slurm.conf, so that it serves every machine that sees it. It
tells a change that another node's reconfigure made from one that was made by hand.
"""

import json
import os
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from slurm_mig.errors import Refused

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_KEPT = 64  # digests a file
_LIMIT = 1 << 20
_PAUSE_S = 0.05


class Ledger:
    """The digests that some file had after one of us wrote it, of every file under the lock."""

    def __init__(self, handles: Collection[int]) -> None:
        self._handles = handles
        self._known: dict[str, list[str]] = {}
        for handle in handles:
            for path, digests in _read(handle).items():
                self._known.setdefault(path, []).extend(digests)

    def knows(self, path: str, digest: str) -> bool:
        """Whether the file's text is one of ours."""
        return digest in self._known.get(path, ())

    def add(self, path: str, *digests: str) -> None:
        """Note what the file is about to become, on the disk before it does. Raises OSError."""
        kept = [digest for digest in self._known.get(path, ()) if digest not in digests]
        self._known[path] = [*kept, *digests][-_KEPT:]
        data = json.dumps({"version": 1, "written": self._known}).encode()
        for handle in self._handles:
            # A crash in between loses what is known: then more is refused, never less.
            os.ftruncate(handle, 0)
            os.pwrite(handle, data, 0)
            os.fsync(handle)


@contextmanager
def locked(paths: Collection[str], wait_s: float) -> Iterator[Ledger]:
    """Be the only slurm-mig that writes to these files, until the block ends.

    Raises Refused when another one is at it for `wait_s`, or when there can be no lock.
    """
    end = time.monotonic() + wait_s
    with ExitStack() as stack:
        handles = []
        # In one order for all, so that no two wait for each other.
        for path in sorted(set(paths)):
            handles.append(stack.enter_context(held(path, end - time.monotonic())))
        yield Ledger(handles)


@contextmanager
def held(path: str, wait_s: float, doing: str | None = None) -> Iterator[int]:
    """The file that belongs to `path`, locked until the block ends. Raises as locked().

    `doing`: what others do that have it.
    """
    handle = _open(path)
    try:
        _wait(path, handle, time.monotonic() + wait_s, doing or f"is writing to {path}")
        yield handle
    finally:
        os.close(handle)


def sidecar(path: str) -> Path:
    """Where the file lies that belongs to `path`."""
    return Path(path).with_name(f".{Path(path).name}.slurm-mig")


def _open(path: str) -> int:
    try:
        handle = os.open(sidecar(path), _FLAGS, 0o600)
    except OSError as why:
        raise Refused(str(sidecar(path)), [f"{why.strerror}: it must be a file, no link"]) from None
    found = os.fstat(handle)
    if found.st_mode & 0o170000 != 0o100000 or found.st_uid != os.geteuid() or found.st_nlink != 1:
        os.close(handle)
        raise Refused(str(sidecar(path)), ["it is no file of root's alone: remove it"])
    return handle


def _wait(path: str, handle: int, end: float, doing: str) -> None:
    while True:
        try:
            return flock(handle, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                problem = f"another slurm-mig {doing}: wait for its end"
                raise Refused("nothing was published", [problem]) from None
        except OSError as why:
            raise Refused(str(sidecar(path)), [f"no lock: {why.strerror}"]) from None
        time.sleep(_PAUSE_S)


def _read(handle: int) -> dict[str, list[str]]:
    try:
        found = json.loads(os.pread(handle, _LIMIT, 0))["written"]
        return {str(path): [str(one) for one in digests] for path, digests in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        return {}
