"""The text of slurm.conf of a simulated cluster. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONTROLLER = "ctl"
# Inside a cluster's network namespace the ports are its own.
CTLD_PORT, DBD_PORT, FIRST_SLURMD_PORT = 6817, 6819, 7001
# What nodes that come by `slurmd -Z` want of the others; without TreeWidth, 22.05 loses them.
DYNAMIC = {"MaxNodeCount": "16", "TreeWidth": "65533", "SlurmctldParameters": "cloud_reg_addrs"}
# Then slurmctld hands its files to whoever asks.
# slurmd's spool is Slurm's own choice: that is where the files are looked for.
CONFIGLESS = {
    "SlurmctldParameters": "enable_configless",
    "SlurmdSpoolDir": "/var/spool/slurmd",
}
_HEAD = """\
ClusterName=simulated
SlurmctldHost={controller}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
PluginDir={plugins}
StateSaveLocation=/run/cluster/state
SlurmdSpoolDir=/run/cluster/nodes/%n/spool
SlurmctldPidFile=/run/cluster/slurmctld.pid
SlurmdPidFile=/run/cluster/nodes/%n/slurmd.pid
SlurmctldLogFile=/run/cluster/log/slurmctld.log
SlurmdLogFile=/run/cluster/log/slurmd.%n.log
SlurmctldDebug=verbose
SlurmdDebug=debug
DebugFlags=Gres
ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
GresTypes=gpu
ReturnToService=2
MpiDefault=none
KillWait=5
# The machine has fewer cores than its simulated nodes.
SlurmdParameters=config_overrides
"""


@dataclass(frozen=True, slots=True)
class NodeConf:
    """A node as slurm.conf names it; `gres` is the value of `Gres=`, empty for none."""

    name: str
    gres: str
    cpus: int
    port: int


def slurm_conf(
    plugins: str, nodes: Sequence[NodeConf], more: Mapping[str, str] | None = None
) -> str:
    """The whole file. `more` adds settings, or replaces those that stand here."""
    head = _HEAD.format(controller=CONTROLLER, ctld_port=CTLD_PORT, plugins=plugins)
    settings = dict(line.split("=", 1) for line in head.splitlines() if "=" in line)
    settings.update(more or {})
    lines = [f"{key}={value}" for key, value in settings.items()]
    lines += [_node_line(node) for node in nodes]
    lines.append("PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP")
    return "\n".join(lines) + "\n"


def _node_line(node: NodeConf) -> str:
    gres = f" Gres={node.gres}" if node.gres else ""
    where = f"NodeName={node.name} NodeAddr=127.0.0.1 Port={node.port}"
    return f"{where} CPUs={node.cpus} RealMemory=1000{gres} State=UNKNOWN"


def dynamic_options(node: NodeConf) -> str:
    """What slurmd is started with so that a node that no slurm.conf has comes to be."""
    gres = f" Gres={node.gres}" if node.gres else ""
    return f'-Z --conf "CPUs={node.cpus} RealMemory=1000{gres}"\n'


def hosts(nodes: Sequence[str]) -> str:
    """/etc/hosts of every machine of the cluster."""
    return f"127.0.0.1 localhost {' '.join([CONTROLLER, *nodes])}\n"
