"""Slurm's commands, run as a careful administrator would: absolute, bounded, no shell."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from slurm_mig.errors import SlurmError, SlurmNotAnswering, UsageError
from slurm_mig.slurm.controller.complaints import failure
from slurm_mig.slurm.version import SlurmVersion

# PATH is often short where we run, and packages differ in where the daemons lie.
USUAL_PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin:/opt/slurm/sbin"
TIMEOUT_S = 10.0
SLURMD_TIMEOUT_S = 40.0  # slurmd waits 20 s for a device file that is missing


def run(arguments: Sequence[str], timeout_s: float = TIMEOUT_S, path: str | None = None) -> str:
    """Run a Slurm command and return what it printed.

    It is looked for in `path`, or else in PATH and where Slurm usually lies.
    Raises SlurmError where it is not installed, fails, or does not end within `timeout_s`.
    """
    # From 24.11 on even `scontrol -V` looks for a slurm.conf.
    return _run(arguments, timeout_s, path, _environment()).stdout


def ask(arguments: Sequence[str], timeout_s: float, path: str | None = None) -> str:
    """Run a command that asks slurmctld; what it printed, times in it in UTC.

    Raises SlurmNotAnswering, SlurmRefused or NoSuchNode by what it complained of; SlurmError
    where it is not installed.
    """
    try:
        done = _start(arguments, timeout_s, path, _environment())
    except _TooSlow as why:
        raise SlurmNotAnswering(str(why)) from None
    if done.returncode != 0:
        # The command's own name and verb: a reason in it is long and not what went wrong.
        name = " ".join(arguments[:3])
        raise failure(name, done.returncode, done.stderr.strip() or done.stdout)
    return done.stdout


def both_streams(arguments: Sequence[str], path: str | None = None) -> str:
    """What a command said, on both streams, and were it a failure.

    Raises SlurmError where it is not installed or does not end.
    """
    done = _start(arguments, TIMEOUT_S, path, _environment())
    return done.stdout + done.stderr


def _environment() -> Mapping[str, str]:
    # A cluster's own slurm.conf may lie anywhere; what else SLURM_ and SQUEUE_ variables say
    # would change what the command prints.
    kept = {key: os.environ[key] for key in ("SLURM_CONF",) if key in os.environ}
    return {**kept, "TZ": "UTC0"}


class _TooSlow(SlurmError):
    """It did not end in time."""


def slurmd_list(options: Sequence[str], path: str | None = None) -> str:
    """What `slurmd -G` prints, for slurm_mig.slurm.records.slurmd_list. Raises SlurmError as run().

    `options` are those of the running slurmd that name its node and its files.
    """
    # It loads the libraries that the running slurmd loads only in the same environment.
    done = _run(["slurmd", "-G", *options], SLURMD_TIMEOUT_S, path, os.environ)
    return done.stdout + done.stderr


def _run(
    arguments: Sequence[str], timeout_s: float, path: str | None, environment: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    done = _start(arguments, timeout_s, path, environment)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        command = " ".join(arguments)
        raise SlurmError(f"`{command}` failed with {done.returncode}: {said[-1] if said else ''}")
    return done


def _start(
    arguments: Sequence[str], timeout_s: float, path: str | None, environment: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    if path is None:
        path = os.pathsep.join(filter(None, [os.environ.get("PATH"), USUAL_PATH]))
    program = shutil.which(arguments[0], path=path)
    if program is None:
        raise SlurmError(f"{arguments[0]} is not installed (looked in {path})")
    command = " ".join(arguments)
    try:
        return subprocess.run(
            [Path(program).absolute(), *arguments[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            env={**environment, "PATH": path, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        raise _TooSlow(f"`{command}` did not end within {timeout_s:g} s") from None
    except OSError as why:
        raise SlurmError(f"`{command}` could not be started: {why.strerror}") from None


def installed_version(path: str | None = None) -> SlurmVersion:
    """The version of the slurmd of this machine. Raises SlurmError where there is none."""
    try:
        return SlurmVersion.parse(run(["slurmd", "-V"], path=path))
    except UsageError as why:
        raise SlurmError(f"`slurmd -V` printed {why}; give --slurm-version") from None
    except SlurmError as why:
        raise SlurmError(f"{why}; give --slurm-version") from None
