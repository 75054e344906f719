"""The commands that a site has for its GPUs (a reset, a daemon's stop), run within bounds.

No shell, no environment of the caller's, no path but a fixed one, an end to every wait.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from slurm_mig.errors import CommandError
from slurm_mig.gpu.change import bounded
from slurm_mig.system.printable import printable

if TYPE_CHECKING:
    import subprocess

SAFE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PR_SET_PDEATHSIG = 1
_NAP_S = 0.02
_KEPT_BYTES = 1 << 16  # of what it prints: the end, where the reason stands


class Done(NamedTuple):
    """How a command ended. `code` is negative for a signal; `said` the end of what it printed."""

    code: int
    said: str

    @property
    def reason(self) -> str:
        """Its last line, for an error."""
        lines = [line for line in self.said.splitlines() if line.strip()]
        return printable(lines[-1]) if lines else "it said nothing"


def filled(words: Sequence[str], place: str, value: str) -> tuple[str, ...]:
    """A command of the settings, with `value` where `place` ("{unit}") stands."""
    return tuple(word.replace(place, value) for word in words)


def find(program: str) -> str | None:
    """Where a site's program lies; None where it is not installed."""
    folders = [""] if "/" in program else SAFE_PATH.split(":")
    paths = (os.path.join(folder, program) for folder in folders)  # noqa: PTH118
    return next((path for path in paths if _is_program(path)), None)


def run(words: Sequence[str], timeout_s: float) -> Done:
    """Run a command to its end, whatever its exit code.

    Raises CommandError where it is not installed, cannot be started, or has not ended after
    `timeout_s`; then it is killed, with all that it started in its process group.
    """
    program = find(words[0])
    if program is None:
        raise CommandError(f"{words[0]} is not installed (looked in {SAFE_PATH})")
    import subprocess  # dear, and most runs have nothing to run

    try:
        process = subprocess.Popen(
            [program, *words[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": SAFE_PATH, "LC_ALL": "C"},
            cwd="/",
            start_new_session=True,
            pass_fds=bounded.held(),
            preexec_fn=_dies_with_us(),
        )
    except OSError as why:
        raise CommandError(f"`{shown(words)}` could not be started: {why.strerror}") from None
    try:
        said = _until_its_end(process, time.monotonic() + timeout_s)
    except BaseException:
        _kill(process)
        raise
    if said is None:
        _kill(process)
        raise CommandError(f"`{shown(words)}` did not end within {timeout_s:g} s, and was killed")
    return Done(process.wait(), said.decode(errors="backslashreplace"))


def must(words: Sequence[str], timeout_s: float) -> Done:
    """`run`, and a CommandError too where it fails."""
    done = run(words, timeout_s)
    if done.code != 0:
        how = f"signal {-done.code}" if done.code < 0 else f"{done.code}"
        raise CommandError(f"`{shown(words)}` failed with {how}: {done.reason}")
    return done


def shown(words: Sequence[str]) -> str:
    """A command for a message."""
    return printable(" ".join(words), 120)


def _dies_with_us() -> Callable[[], None]:
    """Else a reset would go on when its worker was killed, and hit what goes back meanwhile."""
    import ctypes

    prctl, us = ctypes.CDLL(None).prctl, os.getpid()

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != us:
            os._exit(1)

    return bind


def _is_program(path: str) -> bool:
    return os.access(path, os.X_OK) and Path(path).is_file()


def _until_its_end(process: "subprocess.Popen[bytes]", end: float) -> bytes | None:
    """What it printed, when it has ended; None when `end` came first.

    Its end counts, not that of its output: a daemon that it started may keep that open.
    """
    if process.stdout is None:
        return b""
    out = process.stdout.fileno()
    os.set_blocking(out, False)
    said = b""
    ended = _end_of(process)
    try:
        waiting = select.poll()
        waiting.register(out, select.POLLIN)
        if ended is not None:
            waiting.register(ended, select.POLLIN)
        while (left := end - time.monotonic()) > 0:
            nap = left if ended is not None else min(left, _NAP_S)
            ready = {handle for handle, _ in waiting.poll(nap * 1000)}
            over = ended in ready if ended is not None else process.poll() is not None
            chunk = _read(out) if out in ready or over else None
            said = (said + (chunk or b""))[-_KEPT_BYTES:]
            if chunk == b"" and out in ready:
                waiting.unregister(out)
            if over and not chunk:
                return said
        return None
    finally:
        if ended is not None:
            os.close(ended)
        process.stdout.close()


def _end_of(process: "subprocess.Popen[bytes]") -> int | None:
    """What tells its end; None before Linux 5.3 and in some sandboxes: then it is asked."""
    try:
        return os.pidfd_open(process.pid)
    except OSError:
        return None


def _read(out: int) -> bytes | None:
    """What is there to read; empty at the end of it, None where nothing is there yet."""
    try:
        return os.read(out, _KEPT_BYTES)
    except BlockingIOError:
        return None


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End its whole group. One that the kernel holds fast (a GPU that hangs) is not waited for."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    end = time.monotonic() + 1.0
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
