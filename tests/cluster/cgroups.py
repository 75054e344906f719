"""Which cgroups a simulated machine has: those of v1, or v2 alone as most machines have today.

The kernel is one, and this machine has both. So a machine with v2 sees a cgroup of the one
hierarchy, the cluster's own, as the whole of it (enter.py), and its slurmd is told the same of
itself (unified_view.c). What denies a job a device is the kernel's: a BPF program of Slurm's.
"""

import shutil
from pathlib import Path

from tests.cluster import enter

V1, V2 = 1, 2
CONTROLLERS = ("devices", "freezer")  # of v1: every process of a cluster is in its groups there
SEEN = "/sys/fs/cgroup"
_EVERYBODY = "init.scope"  # where systemd would have put the first of them
_VIEW = "unified_view.so"
_BUILT = Path(__file__).resolve().parents[2] / "build/sim" / _VIEW
_CONF = """\
CgroupPlugin=cgroup/v{version}
CgroupMountpoint=/sys/fs/cgroup
ConstrainDevices=yes
"""


def steps(group: str, version: int, scratch: str) -> list[list[object]]:
    """What puts a machine into its groups, and shows it those of this version."""
    own = groups(scratch)
    plan: list[list[object]] = [["no_other_cgroups"], ["empty", SEEN]]
    plan += [["cgroup", each, group, scratch, f"{own}/{each}"] for each in CONTROLLERS]
    if version == V1:
        return plan + [["bind", f"{own}/{each}", f"{SEEN}/{each}"] for each in CONTROLLERS]
    plan += [["cgroup", enter.UNIFIED, group, scratch, SEEN], ["unshare", "cgroup"]]
    return [*plan, ["scope", f"{SEEN}/{_EVERYBODY}", f"{own}/{enter.UNIFIED}"]]


def of_its_day(slurm: str) -> int:
    """Which of the two the machines of a site have that runs this Slurm. 22.05 knows no other."""
    return V1 if slurm == "22.05" else V2


def groups(scratch: str) -> str:
    """The folder with a machine's own groups."""
    return f"{scratch}/groups"


def enter_groups(scratch: str, pid: str = "$$") -> str:
    """The lines of a shell that put a process into them, or leave with 125."""
    return f"for group in {groups(scratch)}/*; do echo {pid} >$group/cgroup.procs || exit 125; done"


def conf(version: int) -> str:
    """cgroup.conf."""
    # The machines have no systemd that could be asked for a scope.
    return _CONF.format(version=version) + ("IgnoreSystemd=yes\n" if version == V2 else "")


def before_slurmd(version: int, libraries: Path, seen: str) -> str:
    """What a shell does before it becomes slurmd; `seen` is where slurmd finds `libraries`."""
    if version != V2:
        return ""
    shutil.copy(_BUILT, libraries)
    return f"export LD_PRELOAD={seen}/{_VIEW}\n"
