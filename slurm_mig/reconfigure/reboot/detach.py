"""A program that goes on when RebootProgram has ended: out of its process group and session.

slurmd of 26.05 kills all that is left of the script's process group, and a stop of
slurmd.service may end all in its cgroup. So systemd has it as a unit of its own, where there is
systemd; else it is a session of its own.
"""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from slurm_mig.errors import HookError, SlurmMigError
from slurm_mig.files import under
from slurm_mig.gpu.change import sitecommand
from slurm_mig.system import rootfiles

FOLDER, LOG = "/var/log/slurm-mig", "reboot.log"
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_SYSTEMD = "/run/systemd/system"  # sd_booted(3): there where systemd runs the machine
_KEPT = ("SLURM_CONF", "SLURM_NODE_NAME", "SLURMD_NODENAME")
_START_S = 30.0
_MOST_HANDLES = 4096


def detached(root: Path, words: Sequence[str]) -> None:
    """Start a program that outlives us; what it says goes to the log. Raises SlurmMigError."""
    if under(root, _SYSTEMD).is_dir() and sitecommand.find("systemd-run") is not None:
        with suppress(SlurmMigError):  # no systemd to talk to: then by ourselves
            sitecommand.must(as_unit(words, os.environ), _START_S)
            return
    _start(words, open_log(root))


def as_unit(words: Sequence[str], variables: Mapping[str, str]) -> tuple[str, ...]:
    """The command that has systemd run it."""
    kept = [f"--setenv={name}={variables[name]}" for name in _KEPT if name in variables]
    unit = f"--unit=slurm-mig-reboot-{os.getpid()}"
    return ("systemd-run", "--quiet", "--collect", "--no-block", unit, *kept, "--", *words)


def log(root: Path, text: str) -> None:
    """Add a line to the log. One that cannot be written stops nothing."""
    with suppress(SlurmMigError, OSError):
        handle = open_log(root)
        try:
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            os.write(handle, f"{now} {' '.join(text.split())}\n".encode(errors="replace"))
        finally:
            os.close(handle)


def open_log(root: Path) -> int:
    """A handle that adds to it. Raises SlurmMigError."""
    try:
        folder = rootfiles.open_folder(str(root), FOLDER, make=0o755)
        try:
            return os.open(LOG, _FLAGS, 0o640, dir_fd=folder)
        finally:
            os.close(folder)
    except OSError as why:
        raise SlurmMigError(f"{FOLDER}/{LOG}: {why.strerror}") from None
    except HookError as why:
        raise SlurmMigError(str(why)) from None


def _start(words: Sequence[str], out: int) -> None:
    ours, theirs = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        _become(words, out, theirs)
    os.close(theirs)
    os.close(out)
    os.waitpid(child, 0)
    with os.fdopen(ours, "rb") as told:
        problem = told.read(4096)  # nothing: exec(2) has closed it
    if problem:
        raise SlurmMigError(f"{words[0]}: {problem.decode(errors='replace')}")


def _become(words: Sequence[str], out: int, tell: int) -> NoReturn:
    """In the child: a session of its own, no handle but its own, nothing blocked, then exec."""
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        null = os.open(os.devnull, os.O_RDONLY)
        for handle, place in ((null, 0), (out, 1), (out, 2)):
            os.dup2(handle, place)
        low, high = sorted((3, tell))
        os.closerange(low, high) if low < high else None
        os.closerange(tell + 1, _MOST_HANDLES)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.chdir("/")
        os.execv(words[0], list(words))  # noqa: S606
    except BaseException as why:
        os.write(tell, (str(why) or type(why).__name__).encode(errors="replace"))
    finally:
        os._exit(127)
