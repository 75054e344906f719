"""Asked from inside a job's cgroup: a child process steps in, looks, tells, and is gone."""

import posix as os
import select
import time
from _signal import alarm  # type: ignore[import-not-found]

from slurm_mig.system import cgroups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# All that the job has; a step may have less.
_STEPS = ("step_extern", "step_batch")
_LIMIT = 1 << 16
_END_S = 0.5  # for a child that was killed; one that the kernel keeps is left to itself


def leaf(folder: str) -> str | None:
    """A cgroup below a job's in which a process may be, and which has the job's devices.

    The v1 hierarchy `devices`, or v2, where only the last folders may have processes.
    """
    if "/slurm" in folder and "slurmstepd.scope" not in folder and "/devices/" not in folder:
        return None
    for step in _STEPS:
        for inner in (f"{step}/user/task_special", f"{step}/user/task_0", step):
            if cgroups.may_hold(f"{folder}/{inner}"):
                return f"{folder}/{inner}"
    return None


def ask(cgroup: str, look: "Callable[[], bytes]", limit_s: float) -> bytes | None:
    """What `look` answers in that cgroup; None when it could not be asked in time. Raises OSError.

    The child ends by itself even if this process is killed: it never stays in the cgroup.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _tell(cgroup, look, writer, limit_s)
    os.close(writer)
    try:
        ready, _, _ = select.select([reader], [], [], limit_s)
        told = os.read(reader, _LIMIT) if ready else b""
    finally:
        os.close(reader)
        _end(pid)
    return told[1:] if told.startswith(b"!") else None


def _tell(cgroup: str, look: "Callable[[], bytes]", writer: int, limit_s: float) -> None:
    """The child. Never returns."""
    try:
        alarm(int(limit_s) + 2)
        try:  # where the job has no memory left, this is the process to go
            with open("/proc/self/oom_score_adj", "w") as score:
                score.write("1000")
        except OSError:
            pass
        with open(f"{cgroup}/cgroup.procs", "w") as procs:
            procs.write(str(os.getpid()))
        os.write(writer, b"!" + look())
    finally:
        os._exit(0)


def _end(pid: int) -> None:
    """Have the child gone, or leave it to itself if even SIGKILL does not end it."""
    until = time.monotonic() + _END_S
    os.kill(pid, 9)  # our own, and not yet waited for: the number is still its own
    while os.waitpid(pid, os.WNOHANG)[0] == 0 and time.monotonic() < until:
        time.sleep(0.001)
