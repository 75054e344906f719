"""Waiting for the next sample, for a change among the jobs, or for the end; nothing is spent on it.

dnotify (fcntl(2), F_NOTIFY) tells of a change by a signal, and the signals are waited for, not
caught: so none is missed between a look and a wait. Where a kernel has no dnotify
(CONFIG_DNOTIFY), whoever waits has to look more often.
"""

import fcntl
import os
import signal
from types import TracebackType
from typing import Final

CHANGED: Final = "changed"
STOP: Final = "stop"
_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_WANTED = fcntl.DN_CREATE | fcntl.DN_DELETE | fcntl.DN_RENAME | fcntl.DN_MULTISHOT


class Watch:
    """While the block lasts, the signals are this thread's to wait for."""

    def __init__(self) -> None:
        self._signals = {signal.SIGIO, *_STOPS}
        self._before: set[int] = set()
        self._handle: int | None = None

    def __enter__(self) -> "Watch":
        self._before = set(signal.pthread_sigmask(signal.SIG_BLOCK, self._signals))
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._drop()
        while signal.sigtimedwait({signal.SIGIO}, 0):  # else it would end us now
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)

    def over(self, folder: int) -> bool:
        """Hear of changes in an open folder; False where this kernel cannot tell of them."""
        # A description of its own: listdir() closes a copy of what it is given, and any close
        # of a description ends what was asked for by it (dnotify_flush).
        self._drop()
        self._handle = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
        try:
            fcntl.fcntl(self._handle, fcntl.F_NOTIFY, _WANTED)
        except OSError:
            return False
        return True

    def _drop(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
        self._handle = None

    def wait(self, limit_s: float) -> str | None:
        """CHANGED or STOP, or None when the time is up."""
        found = signal.sigtimedwait(self._signals, max(0.0, limit_s))
        if found is None:
            return None
        return STOP if found.si_signo in _STOPS else CHANGED
