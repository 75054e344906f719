"""Processes that outlived their job on its slices, and strangers on a slice that is to be given.

Ended is only who has one of these very slices open, is no part of another job, and is the
job's: of its user, or in its cgroup. Root's own daemons (DCGM, nvidia-persistenced, slurmd)
are nobody's leftovers.
"""

import posix as os
import select
import time

from slurm_mig.errors import HookError
from slurm_mig.hooks.environment import Job
from slurm_mig.hooks.log import Line
from slurm_mig.hooks.settings import Settings
from slurm_mig.hooks.slices import Slice
from slurm_mig.system import cgroups
from slurm_mig.system.processes import Process, Search, start_and_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_S = 1.0  # for one look over /proc, whatever runs here


class Ended:
    """What came of it: how many were ended, who stayed; `looked` False: not all of /proc."""

    __slots__ = ("count", "looked", "staying")

    def __init__(self) -> None:
        self.count = 0
        self.staying: list[Process] = []
        self.looked = True


def own_files(slices: tuple[Slice, ...]) -> tuple[tuple[str, int, int], ...]:
    """The files by which a process is on just these slices: of a MIG slice its compute
    instance's, as a GPU instance may have others, and other jobs on them."""
    return tuple(one.files[-1] for one in slices)


def after_job(
    root: str,
    job: Job,
    slices: tuple[Slice, ...],
    settings: Settings,
    line: Line,
    perhaps: tuple[Slice, ...] = (),
) -> Ended:
    """End what the job left on its slices, as the site wants it. Raises OSError.

    `perhaps` are slices that it may have had besides, and nobody has now.
    """
    inside = cgroups.processes(cgroups.job_folders(root, job.job_id, job.uid, job.sluid))
    all_strangers = settings.foreign_process == "kill" and not perhaps

    def is_jobs(pid: int, uid: int) -> bool:
        return pid in inside or (uid != 0 and (all_strangers or uid == job.uid))

    def may_end(one: Process) -> bool:
        return one.pid in inside or one.job is None

    search = Search(root, own_files(slices + perhaps))
    if settings.leftovers == "log":
        return _only_look(search, is_jobs, may_end, line)
    return _end_all(root, search, is_jobs, may_end, settings.leftover_wait_s, line)


def before_job(
    root: str, job: Job, slices: tuple[Slice, ...], settings: Settings, line: Line
) -> None:
    """Do by policy what is to be done about strangers. HookError when the job must not start."""
    search = Search(root, own_files(slices))
    mine = {str(job.job_id), job.sluid} - {None}
    found = [one for one in search.run(_is_users, _LOOK_S) if one.job not in mine]
    if search.timed_out:
        line.warn("not every process could be looked at in time")
    if not found:
        return
    line.put(foreign=len(found))
    line.warn(f"on the job's slices: {_list(found)}")
    if settings.foreign_process == "kill":
        _end_all(root, search, _is_users, _is_no_jobs, settings.leftover_wait_s, line)
        found = [one for one in found if is_there(root, one)]
    if settings.foreign_process in ("drain", "kill") and found:
        raise HookError(f"still on the job's slices: {_list(found)}")


def _is_users(_: int, uid: int) -> bool:
    return uid != 0


def _only_look(
    search: Search,
    wanted: "Callable[[int, int], bool]",
    may_end: "Callable[[Process], bool]",
    line: Line,
) -> Ended:
    ended = Ended()
    found = [one for one in search.run(wanted, _LOOK_S) if may_end(one)]
    ended.looked = not search.timed_out
    if found:
        line.warn(f"left on the slices, and left alone: {_list(found)}")
    return ended


def _is_no_jobs(one: Process) -> bool:
    return one.job is None


def _end_all(
    root: str,
    search: Search,
    wanted: "Callable[[int, int], bool]",
    may_end: "Callable[[Process], bool]",
    wait_s: float,
    line: Line,
) -> Ended:
    """Look and end, until nobody is there any more or the time is up."""
    ended, until = Ended(), time.monotonic() + wait_s
    seen: set[tuple[int, int]] = set()
    while True:
        ended.staying = [one for one in search.run(wanted, _LOOK_S) if may_end(one)]
        ended.looked = not search.timed_out
        new = [one for one in ended.staying if (one.pid, one.start) not in seen]
        if new:
            line.warn(f"ending what was left on the slices: {_list(new)}")
        seen.update((one.pid, one.start) for one in new)
        if not ended.staying or time.monotonic() >= until:
            ended.count = len(seen) - len(ended.staying)
            return ended
        _wait([_kill(root, one, search) for one in ended.staying], until)


def _kill(root: str, one: Process, search: Search) -> int | None:
    """Kill just this process; a handle that tells its end, None when it is not there any more."""
    import signal  # rare, and dear: it loads enum

    try:
        handle = os.pidfd_open(one.pid)
    except ProcessLookupError:
        return None
    # The handle is of whoever has the number now: it must be the one that was looked at.
    if is_there(root, one) and search.holds(one.pid):
        try:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        except ProcessLookupError:
            pass
        else:
            return handle
    os.close(handle)
    return None


def _wait(handles: "list[int | None]", until: float) -> None:
    """Until all of them have ended, or the time is up."""
    for handle in handles:
        if handle is not None:
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            poll.poll(max(0.0, until - time.monotonic()) * 1000)
            os.close(handle)
    time.sleep(0.002)  # a process that has just ended keeps its descriptors for a moment


def is_there(root: str, one: Process) -> bool:
    """Whether that very process still runs."""
    told = start_and_name(root, one.pid)
    return told is not None and told[0] == one.start


def _list(found: list[Process]) -> str:
    return ", ".join(map(str, found[:8])) + (f" and {len(found) - 8} more" if found[8:] else "")
