"""`slurm-mig monitor`: sleep until a job holds a slice, then sample until none does.

NVML may never answer. Nothing here waits for it with an end: systemd does, which hears of us
only after a round, and starts us again when it does not.
"""

import fcntl
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from slurm_mig.errors import HookError, SlurmMigError
from slurm_mig.system import rootfiles
from slurm_mig.system.epoch import FOLDER
from slurm_mig.usage.monitor.clock import Clock
from slurm_mig.usage.monitor.jobs import OpenJobs
from slurm_mig.usage.monitor.monitor import Monitor
from slurm_mig.usage.monitor.notify import Notify
from slurm_mig.usage.monitor.session import OpenNvml
from slurm_mig.usage.monitor.settings import MonitorSettings
from slurm_mig.usage.monitor.snapshot import Sink
from slurm_mig.usage.monitor.watch import STOP, Watch

LOCK = "monitor.lock"
_IDLE_S = 20.0  # dnotify wakes us: this is for what it may miss
_BLIND_S = 1.0  # where there is no dnotify
_SHOWN_S = 300.0  # how often it is shown that it sleeps, and what is new of the node


class Daemon:
    """The loop. `sinks` get a snapshot after every round (snapshot.py)."""

    def __init__(
        self,
        root: Path,
        settings: MonitorSettings,
        open_nvml: OpenNvml,
        clock: Clock,
        notify: Notify,
        sinks: Iterable[Sink] = (),
    ) -> None:
        """Raises OSError, HookError, or SlurmMigError when another one runs."""
        self._root, self._settings, self._clock = str(root), settings, clock
        self._notify, self._sinks = notify, tuple(sinks)
        self._jobs = OpenJobs(self._root)
        self._lock = _only_one(self._root)
        self._monitor = Monitor(root, settings, open_nvml, clock)
        self._next_s: float | None = None  # of a round; None: there is no job
        self._show_s: float | None = None  # asleep: when to show it again

    def run(self) -> None:
        """Until a signal says that it is enough.

        Raises OSError or SlurmMigError when /run/slurm-mig is not what it was: only a new one
        can go on then.
        """
        with Watch() as watch:
            hears = watch.over(self._jobs.folder)
            self._notify.tell("READY=1")
            try:
                while True:
                    if self._jobs.is_removed:
                        raise SlurmMigError(f"{FOLDER}/jobs was removed: start the monitor again")
                    self._turn()
                    self._notify.tell("WATCHDOG=1", f"STATUS={self._status()}")
                    if watch.wait(self._wait_s(hears)) == STOP:
                        return
            finally:
                self._notify.tell("STOPPING=1")
                self._monitor.close()
                self._jobs.close()
                os.close(self._lock)

    def _turn(self) -> None:
        """Meet who came; sample whoever it is time for."""
        new = self._monitor.meet(self._jobs.look(), all_read=self._jobs.all_read)
        now_s = self._clock.boottime_s()
        if not self._monitor.jobs:
            self._next_s = None
            if self._show_s is None or now_s >= self._show_s:
                self._monitor.round()
                self._show()
                self._show_s = now_s + _SHOWN_S
            return
        self._show_s = None
        if self._next_s is None or now_s >= self._next_s:
            self._monitor.round()
            # The same beat on, unless it was missed.
            missed = self._next_s is None or now_s - self._next_s > self._settings.period_s
            self._next_s = (now_s if missed else self._next_s or 0.0) + self._settings.period_s
        elif new:
            self._monitor.round(new)
        else:
            return
        self._show()

    def _wait_s(self, hears: bool) -> float:
        longest_s = _IDLE_S if hears else _BLIND_S
        if self._notify.watchdog_s is not None:
            longest_s = min(longest_s, self._notify.watchdog_s / 3)
        if self._next_s is None:
            return longest_s
        return min(longest_s, self._next_s - self._clock.boottime_s())

    def _show(self) -> None:
        snapshot = self._monitor.snapshot()
        for sink in self._sinks:
            try:
                sink(snapshot)
            except (OSError, SlurmMigError) as error:
                self._monitor.notes.append(f"{error}")
        for note in self._monitor.notes:
            log(note)
        self._monitor.notes.clear()

    def _status(self) -> str:
        state, jobs = self._monitor.state, len(self._monitor.jobs)
        return f"{state.word}, {jobs} jobs" + (f": {state.why}" if state.why else "")


def log(line: str) -> None:
    """A line for the journal. A log that cannot be written stops nobody."""
    try:
        sys.stderr.write(f"slurm-mig monitor: {line}\n")
        sys.stderr.flush()
    except OSError:
        return


def _only_one(root: str) -> int:
    """The lock of this node's monitor, held. Raises OSError, HookError, SlurmMigError."""
    folder = rootfiles.open_folder(root, FOLDER, make=0o755)
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(LOCK, flags, 0o600, dir_fd=folder)
    finally:
        os.close(folder)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        why = "another monitor runs on this node: see `systemctl status slurm-mig-monitor`"
        raise HookError(f"{FOLDER}/{LOCK}: {why}") from None
    return handle
