"""What a real slurmd makes of a gres.conf: `slurmd -G`, in a short-lived mount namespace."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.cluster import apt, enter, roots

NODE = "n1"
CONF = """\
ClusterName=once
AuthType=auth/none
CredType=cred/none
SlurmctldHost=ctl(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmdSpoolDir={folder}/spool
PluginDir={plugins}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
GresTypes=gpu
DebugFlags=Gres
SlurmdParameters=config_overrides
NodeName={node} CPUs={cpus} RealMemory=1000 Gres={gres}
PartitionName=main Nodes=ALL
"""


class Machine(Protocol):
    """What is needed of a simulated machine: `tests.sim.api.Sim` is one."""

    @property
    def root(self) -> Path:
        """The tree with its /dev and /proc."""

    def env(self) -> dict[str, str]:
        """What makes NVML clients use it."""


@dataclass(frozen=True, slots=True)
class GresRecord:
    """One entry of slurmd's merged list; its position in the list is its gres_index.

    `type`, `cores` and `unique_id` are None where slurmd has none. 22.05 tells no `unique_id`
    and no `flags`, not even at its highest debug level.
    """

    type: str | None
    count: int
    files: tuple[str, ...]
    cores: str | None
    flags: frozenset[str]
    unique_id: str | None


@dataclass(frozen=True, slots=True)
class SlurmdAnswer:
    """What `slurmd -G` said: the list in its order, and all it complained of."""

    records: tuple[GresRecord, ...]
    errors: tuple[str, ...]
    returncode: int
    log: str


def slurmd_g(
    version: str,
    machine: Machine,
    gres_line: str,
    gres_conf: str,
    *,
    cpus: int = 16,
    nvml_plugin: bool = True,
) -> SlurmdAnswer:
    """Ask the slurmd of a release what it has, given `Gres=` and the text of gres.conf.

    Without `nvml_plugin` it is Slurm as Debian ships it, blind to AutoDetect=nvml.
    Needs root. A file that is missing makes slurmd wait 20 s, as everywhere.
    Raises apt.SetupError when this Slurm was not set up, or namespaces cannot be had.
    """
    slurm = roots.find(version)
    plugins = slurm.plugin_dir(slurm.nvml if nvml_plugin else None)
    with tempfile.TemporaryDirectory(prefix="slurmd-g-") as name:
        folder = Path(name)
        conf = CONF.format(folder=folder, plugins=plugins, node=NODE, cpus=cpus, gres=gres_line)
        (folder / "slurm.conf").write_text(conf)
        (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        (folder / "gres.conf").write_text(gres_conf)
        (folder / "spool").mkdir()
        plan = _plan(slurm, machine.root, folder / "mnt")
        asked = ["slurmd", "-G", "-vvvv", "-N", NODE, "-f", str(folder / "slurm.conf")]
        done = subprocess.run(
            [sys.executable, "-I", "-S", enter.__file__, json.dumps(plan), *asked],
            capture_output=True,
            text=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **machine.env()},
        )
    if done.returncode == enter.NOT_ENTERED:
        raise apt.SetupError(f"no mount namespace for slurmd (it needs root): {done.stderr}")
    return parse(done.stdout + done.stderr, done.returncode)


def _plan(slurm: roots.Slurm, tree: Path, workspace: Path) -> list[list[str]]:
    dev, view = str(workspace / "dev"), str(workspace / "view")
    workspace.mkdir()
    steps = [["unshare", "mount"], ["scratch", str(workspace)], ["mkdir", dev]]
    steps.append(["devices", str(tree / "dev"), dev])
    steps += [["bind", str(tree / path), f"/{path}"] for path in driver_files(tree)]
    if not slurm.is_host:
        steps += [["another_root", str(slurm.root), view, "passwd", "group"]]
        steps += [["chroot", view], ["chdir", "/"]]
    return steps


def driver_files(tree: Path) -> Sequence[str]:
    """What the driver of a simulated machine shows below /proc, as far as it has a driver."""
    return [path for path in ("proc/driver", "proc/devices") if (tree / path).exists()]


_RECORD = re.compile(r"Gres Name=gpu (?P<fields>.*)")
_UNIQUE = re.compile(r"GRES\[gpu\] .* File:(?P<files>\S+) UniqueId:(?P<id>\S+)")
_COMPLAINT = re.compile(r"^slurmd[^:]*: (?P<what>(?:error|fatal|warning): .*)")


def parse(output: str, returncode: int) -> SlurmdAnswer:
    """Read what slurmd printed, of any release."""
    lines = output.splitlines()
    # The list is logged before and after the merge: of equal files, the last one counts.
    unique = {found["files"]: found["id"] for line in lines if (found := _UNIQUE.search(line))}
    records = [
        _record(found["fields"], unique) for line in lines if (found := _RECORD.search(line))
    ]
    errors = [found["what"] for line in lines if (found := _COMPLAINT.match(line))]
    return SlurmdAnswer(tuple(records), tuple(errors), returncode, output)


def _record(fields: str, unique: Mapping[str, str]) -> GresRecord:
    value = dict(field.partition("=")[::2] for field in fields.split() if "=" in field)
    files = value.get("File", "")
    return GresRecord(
        type=_known(value.get("Type")),
        count=int(value["Count"]),
        files=tuple(files.split(",")) if files else (),
        cores=value.get("Cores"),
        flags=frozenset(value.get("Flags", "").split(",")) - {""},
        unique_id=_known(unique.get(files)),
    )


def _known(text: str | None) -> str | None:
    return None if text == "(null)" else text
