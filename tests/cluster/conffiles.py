"""slurm.conf, cgroup.conf and gres.conf of a cluster, and where its machines find them."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tests.cluster import cgroups, site, slurmconf
from tests.cluster.machines import Machines
from tests.cluster.slurmconf import CONTROLLER

ETC = "etc/slurm"
# What stands in a gres.conf that is all nodes': other people's lines, and then ours.
BY_HAND = """\
# Written by hand: nobody but the site may change these.
NodeName=old[01-09]   Name=gpu	Type=k80 File=/dev/nvidia[0-1]   # two spaces, a tab
"""


class Files(Enum):
    """Where Slurm's files lie.

    OWN: each node has a gres.conf, and the controller's slurm.conf by a link. SHARED: /etc/slurm
    is one folder for all. CONFIGLESS: only the controller has any; slurmd fetches them.
    """

    OWN = "own"
    SHARED = "shared"
    CONFIGLESS = "configless"


@dataclass(frozen=True, slots=True)
class Gres:
    """What a node has: the value of its `Gres=` and the text of its gres.conf."""

    line: str
    conf: str


GresOf = Callable[[Machines, str], Gres]


def ask_slurm_mig(machines: Machines, name: str) -> Gres:
    """What slurm-mig itself, run on the node, makes of its GPUs."""
    line = _slurm_mig(machines, name, "gen-gres", "--node", name, "--gres-line").strip()
    return Gres(line, _slurm_mig(machines, name, "gen-gres", "--node", name))


def share(machines: Machines) -> None:
    """Let the nodes, none of which runs yet, have the controller's /etc/slurm for theirs."""
    machines.conf.mkdir(parents=True)
    for name in machines.names:
        etc = machines.node(name).root / ETC
        etc.parent.mkdir(parents=True, exist_ok=True)
        etc.symlink_to(os.path.relpath(machines.conf, etc.parent))


def write(
    machines: Machines,
    gres: Mapping[str, Gres],
    files: Files,
    nodes: Mapping[str, slurmconf.NodeConf],
    settings: Mapping[str, str],
    cgroup: int,
) -> None:
    """Write them all, and what each slurmd is started with; `nodes` are those of slurm.conf.

    `cgroup` is the version that the machines have.
    """
    plugins = machines.slurm.plugin_dir("/run/cluster/plugins")
    text = slurmconf.slurm_conf(plugins, [*nodes.values()], settings)
    (machines.conf / "slurm.conf").write_text(text)
    (machines.conf / "cgroup.conf").write_text(cgroups.conf(cgroup))
    if files is Files.OWN:
        shared = Path("/run/cluster") / machines.conf.relative_to(machines.folder)
        for name in machines.names:
            etc = machines.node(name).root / ETC
            (etc / "gres.conf").write_text(gres[name].conf)
            for file in ("slurm.conf", "cgroup.conf"):
                (etc / file).symlink_to(shared / file)
    else:
        (machines.conf / "gres.conf").write_text(BY_HAND + _of_all(machines))
    server = f"--conf-server {CONTROLLER}:{slurmconf.CTLD_PORT}"
    for name in machines.names:
        options = server if files is Files.CONFIGLESS else ""
        (machines.node(name).folder / site.OPTIONS).write_text(f"{options}\n")


def _of_all(machines: Machines) -> str:
    """One block for all nodes, equal ones in one host list."""
    inventory = machines.folder / "inventory"
    inventory.mkdir()
    for name in machines.names:
        found = _slurm_mig(machines, name, "discover", "--json")
        (inventory / f"{name}.json").write_text(found)
    paths = [f"/run/cluster/inventory/{name}.json" for name in machines.names]
    return _slurm_mig(machines, CONTROLLER, "gen-gres", "--inventory", *paths)


def _slurm_mig(machines: Machines, name: str, *words: str) -> str:
    version = ["--slurm-version", machines.slurm.version] if words[0] == "gen-gres" else []
    tool = [sys.executable, "-m", "slurm_mig", *words, *version]
    return machines.exec(name, tool).stdout
