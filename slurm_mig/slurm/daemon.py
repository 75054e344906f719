"""The slurmd that runs on this machine: when it started."""

import os
from pathlib import Path

from slurm_mig.files import under
from slurm_mig.slurm.conf import Conf

DEFAULT_PID_FILE = "/var/run/slurmd.pid"
# A start time is exact to a tick, but the clock it is told by may have been set since.
_SLACK_S = 2.0


def host_name() -> str:
    """What slurmd takes for its node's name where it is not given one."""
    return os.uname().nodename.partition(".")[0]


def slurmd_start(root: Path, conf: Conf | None, node: str) -> float | None:
    """When slurmd started, in seconds since 1970, to within a second; None if none was found.

    It is found by SlurmdPidFile=, and by being called slurmd: a pid may be another's by now.
    """
    named = conf.get("SlurmdPidFile") if conf else None
    path = (named or DEFAULT_PID_FILE).replace("%n", node).replace("%h", node)
    try:
        pid = int(under(root, path).read_text())
        stat = under(root, f"/proc/{pid}/stat").read_text()
        boot = under(root, "/proc/stat").read_text()
    except (OSError, ValueError):
        return None
    name, _, rest = stat.partition("(")[2].rpartition(")")
    if name != "slurmd":
        return None
    ticks = int(rest.split()[19])
    since = next(line.split()[1] for line in boot.splitlines() if line.startswith("btime"))
    return int(since) + ticks / os.sysconf("SC_CLK_TCK")


def newer_than_slurmd(path: Path, start: float | None) -> bool:
    """Whether a file was written after that slurmd started; False where either is unknown."""
    try:
        return start is not None and path.stat().st_mtime > start + _SLACK_S
    except OSError:
        return False
