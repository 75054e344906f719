"""One simulated machine: its own /dev, /proc/driver, /run, /etc, hostname and cgroups.

Inside, the same paths mean the same on every machine of a cluster, and none of them needs
leave to walk through the folder in which the cluster lies:
/run/cluster (that folder), /run/sim (this machine's simulator state), /run/checkout (the
project, read-only), and the files that the machine keeps: /run, /etc/slurm, /etc/slurm-mig,
/var/lib/slurm-mig, /var/log/slurm-mig, /var/spool/slurmd, all of which lie below `Node.root` for
those who look from outside.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import cgroups, enter, roots
from tests.cluster.slurmds import driver_files

CHECKOUT = Path(__file__).resolve().parents[2]
SCRATCH = "/run/scratch"  # of one machine: mounts in the making, and the other Debian's view
VIEW = f"{SCRATCH}/view"
KEPT_IN_VAR = ("var/lib/slurm-mig", "var/log/slurm-mig", "var/spool/slurmd")
# A cluster that went down meanwhile has no cgroups any more: nothing may start outside them.
_JOIN = f"""\
{cgroups.enter_groups(SCRATCH)}
cd "$0" 2>/dev/null || cd /
exec "$@"
"""


class ClusterError(Exception):
    """A cluster did not come up, is not there, or did not do as it was told."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that keeps a machine's namespaces; `start` tells it from a later namesake."""

    pid: int
    start: int

    def alive(self) -> bool:
        """Whether it still runs."""
        return start_time(self.pid) == self.start


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of a cluster, on disk: `cluster` is the cluster's folder."""

    name: str
    cluster: Path
    slurm: roots.Slurm

    @property
    def folder(self) -> Path:
        """Its simulator's state (MIGSIM_DIR), and its root, spool and so on."""
        return self.cluster / "nodes" / self.name

    @property
    def root(self) -> Path:
        """Its tree: /dev, /proc and the files that it keeps."""
        return self.folder / "root"

    def start(self, group: str, share_net_of: Holder | None, cgroup: int) -> int:
        """Make the namespaces; the id of the process that holds them. Raises ClusterError.

        `cgroup` is the version that the machine has.
        """
        for name in ("run", "etc/slurm", "etc/slurm-mig", *KEPT_IN_VAR, "dev"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        into = cgroups.steps(f"{group}/{self.name}", cgroup, SCRATCH)
        plan = self._plan(into, new_net=share_net_of is None)
        network = [f"--net=/proc/{share_net_of.pid}/ns/net"] if share_net_of else []
        inside = [sys.executable, "-I", "-S", enter.__file__, json.dumps([*plan, ["hold"]])]
        done = subprocess.run(["nsenter", *network, *inside], capture_output=True, text=True)
        if done.returncode != 0:
            raise ClusterError(f"the namespaces of {self.name} could not be made: {done.stderr}")
        return int(done.stdout)

    def become(self, uid: int) -> list[str]:
        """What to put before a command so that an ordinary user runs it beside Slurm's files."""
        if self.slurm.is_host:
            return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
        return ["chroot", f"--userspec={uid}:{uid}", "--groups=", VIEW]

    def _plan(self, into_cgroups: list[list[object]], *, new_net: bool) -> list[list[object]]:
        etc = ("hosts", "slurm", "slurm-mig")
        steps: list[list[object]] = [
            ["die_with_parent"],
            ["unshare", "mount", "uts", *(["net"] if new_net else [])],
        ]
        steps += [["loopback"]] if new_net else []
        steps += [["hostname", self.name], *self._mount_run(), ["scratch", SCRATCH]]
        for name in ("dev", "etc", "lib", "log", "spool"):
            steps.append(["mkdir", f"{SCRATCH}/{name}"])
        steps.append(["devices", str(self.root / "dev"), f"{SCRATCH}/dev"])
        steps += [["bind", str(self.root / path), f"/{path}"] for path in driver_files(self.root)]
        steps.append(["splice", "/etc", f"{SCRATCH}/etc", *etc])
        steps.append(["bind", str(self.cluster / "hosts"), "/etc/hosts"])
        steps += [["bind", str(self.root / "etc" / name), f"/etc/{name}"] for name in etc[1:]]
        for kept in KEPT_IN_VAR:
            path = Path("/", kept)
            workspace = f"{SCRATCH}/{path.parent.name}"
            steps.append(["splice", str(path.parent), workspace, path.name])
            steps.append(["bind", str(self.root / kept), f"/{kept}"])
        steps += into_cgroups
        if not self.slurm.is_host:
            steps.append(["another_root", str(self.slurm.root), VIEW, "passwd", "group", *etc])
        return steps

    def _mount_run(self) -> list[list[object]]:
        return [
            ["bind", str(self.root / "run"), "/run"],
            ["plain", str(self.cluster), "/run/cluster"],
            ["bind", str(self.folder), "/run/sim"],
            ["bind", str(self.cluster / "munge"), "/run/munge"],
            ["readonly", str(CHECKOUT), "/run/checkout"],
        ]


def command(holder: Holder, words: Sequence[str]) -> list[str]:
    """The command that runs `words` on the machine that `holder` keeps."""
    if not holder.alive():
        raise ClusterError("the machine is not running any more: `down` the cluster, then `up`")
    inside = ["nsenter", f"--target={holder.pid}", "--mount", "--uts", "--net", "--cgroup"]
    return [*inside, "sh", "-c", _JOIN, str(Path.cwd()), *words]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What programs on a machine of a cluster find in their environment.

    No SLURM_CONF: where Slurm's files are is for Slurm to find, as on a site's machines.
    """
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("SLURM_", "SLURMD_", "MIGSIM_"))
    }
    ordinary = os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    path = f"/run/cluster/bin:{ordinary}:/usr/sbin:/sbin:{Path(sys.executable).parent}"
    ours = {
        "PATH": path,
        "LD_LIBRARY_PATH": "/run/cluster/lib",
        "MIGSIM_DIR": "/run/sim",
    }
    return {**kept, **ours, **(more or {})}


def pid_in(file: Path) -> int:
    """The number in a daemon's pid file: written over an older one, more may follow a moment."""
    return int(file.read_text().split()[0])


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None if there is none or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])
