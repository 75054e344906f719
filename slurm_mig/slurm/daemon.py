"""The slurmd that runs on this machine: when it started."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from slurm_mig.files import under
from slurm_mig.slurm.config.conf import Conf

DEFAULT_PID_FILE = "/var/run/slurmd.pid"
# A start time is exact to a tick, but the clock it is told by may have been set since.
_SLACK_S = 2.0
_ENDED = ("Z", "X")  # states of a process of which only its entry is left (proc(5))


class _Process(NamedTuple):
    pid: int
    name: str
    parent: int
    ticks: int  # since boot


class Slurmd(NamedTuple):
    """A slurmd that runs: when it started, in seconds since 1970, and with which words."""

    pid: int
    started: float | None
    words: tuple[str, ...]


def named_for(path: str, node: str) -> str:
    """A file of slurmd's that slurm.conf names for all nodes (%n and %h), for this one."""
    return path.replace("%n", node).replace("%h", node)


def host_name() -> str:
    """What slurmd takes for its node's name where it is not given one."""
    return os.uname().nodename.partition(".")[0]


def slurmd_start(root: Path, conf: Conf | None, node: str) -> float | None:
    """When slurmd started, in seconds since 1970, to within a second.

    None if none was found, or several that SlurmdPidFile= does not tell apart.
    """
    found = running(root, conf, node)
    return None if found is None else found.started


def running(root: Path, conf: Conf | None, node: str) -> Slurmd | None:
    """The slurmd of a node of this machine.

    None if none was found, or several that SlurmdPidFile= does not tell apart.
    """
    found = _by_pid_file(root, conf, node) or _the_only_one(root)
    if found is None:
        return None
    boot = _boot_time(root)
    started = None if boot is None else boot + found.ticks / os.sysconf("SC_CLK_TCK")
    return Slurmd(found.pid, started, _words(root, found.pid))


def _words(root: Path, pid: int) -> tuple[str, ...]:
    try:
        text = under(root, f"/proc/{pid}/cmdline").read_text(errors="surrogateescape")
    except OSError:
        return ()
    return tuple(text.removesuffix("\0").split("\0"))


def newer_than_slurmd(path: Path, start: float | None) -> bool:
    """Whether a file was written after that slurmd started; False where either is unknown."""
    try:
        return start is not None and path.stat().st_mtime > start + _SLACK_S
    except OSError:
        return False


def _by_pid_file(root: Path, conf: Conf | None, node: str) -> _Process | None:
    named = conf.get("SlurmdPidFile") if conf else None
    path = named_for(named or DEFAULT_PID_FILE, node)
    try:
        # It is written over what stood there: a longer number's end may follow for a moment.
        first = under(root, path).read_text().split(maxsplit=1)[:1]
        found = _process(root, int("".join(first)))
    except (OSError, ValueError):
        return None
    # The number may be another process's by now.
    return found if found is not None and found.name == "slurmd" else None


def _the_only_one(root: Path) -> _Process | None:
    """Under systemd slurmd writes no pid file. Its children are called slurmd until they exec."""
    found = dict(_slurmds(root))
    first = [each for each in found.values() if each.parent not in found]
    return first[0] if len(first) == 1 else None


def _slurmds(root: Path) -> Iterator[tuple[int, _Process]]:
    """By pid, those that see the files that we see: a container's slurmd is another node's."""
    for folder in under(root, "/proc").glob("[0-9]*"):
        found = _process(root, int(folder.name))
        if found is not None and found.name == "slurmd" and _sees_our_files(folder):
            yield int(folder.name), found


def _sees_our_files(folder: Path) -> bool:
    try:
        return (folder / "ns/mnt").readlink() == (folder.parent / "self/ns/mnt").readlink()
    except OSError:
        return False


def _process(root: Path, pid: int) -> _Process | None:
    try:
        stat = under(root, f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    name, _, rest = stat.partition("(")[2].rpartition(")")
    fields = rest.split()
    if fields[0] in _ENDED:  # killed, its pid file stays; and whoever is to reap it may be slow
        return None
    return _Process(pid, name, int(fields[1]), int(fields[19]))


def _boot_time(root: Path) -> int | None:
    try:
        text = under(root, "/proc/stat").read_text()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in text.splitlines() if line[:6] == "btime "), None)
