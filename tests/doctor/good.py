"""A node on which all is well: each test spoils one thing."""

from pathlib import Path
from typing import Any

from slurm_mig.doctor.facts import Facts, HookFacts, Script
from slurm_mig.doctor.finding import Finding
from slurm_mig.doctor.table import examine
from slurm_mig.model import Node
from slurm_mig.slurm.config.conf import Conf, ConfLine
from slurm_mig.slurm.config.lines import joined, pairs
from slurm_mig.slurm.records.gres import GresOptions, line, node_gres
from slurm_mig.slurm.version import SlurmVersion
from tests.slurm.nodes import gpu, node, whole_gpu

VERSION = SlurmVersion(24, 11, 5)
MIXED = node(gpu("3g.20gb", "1g.5gb"), whole_gpu(1), name="n1")
SLURM = """\
SelectType=select/cons_tres
GresTypes=gpu
TaskPlugin=task/affinity,task/cgroup
ProctrackType=proctrack/cgroup
Prolog=/opt/hooks/prolog
Epilog=/opt/hooks/epilog
TaskProlog=/opt/hooks/task-prolog
PrologFlags=Alloc,Contain
SchedulerParameters=nohold_on_prolog_fail
"""
SCRIPTS = {
    "prolog": (Script("/opt/hooks/prolog", True, True),),
    "epilog": (Script("/opt/hooks/epilog", True, True),),
    "taskprolog": (Script("/opt/hooks/task-prolog", True, True),),
}
MAP: dict[str, Any] = {"boot_id": "b", "generation": 2, "made_at": 5, "gres": [1]}


def conf(text: str, name: str = "slurm.conf") -> Conf:
    """What these lines say."""
    path = Path("/etc/slurm", name)
    lines = (ConfLine(path, each.first, each.last, tuple(pairs(each))) for each in joined(text))
    return Conf(path, tuple(lines))


def slurm(more: str = "", without: str = "", node: Node = MIXED) -> Conf:
    """The good slurm.conf with further lines, and without the line that begins so."""
    lines = [each for each in SLURM.splitlines() if not without or not each.startswith(without)]
    gres = node_gres(node, GresOptions(VERSION)).gres
    return conf("\n".join([*lines, f"NodeName=n1 Gres={gres}", more]))


def gres_conf(node: Node = MIXED, *, nvml: bool = False) -> str:
    """gen-gres's lines."""
    made = node_gres(node, GresOptions(VERSION, autodetect=nvml))
    mode = "nvml" if nvml else "off"
    return "\n".join([f"AutoDetect={mode}", *map(line, made.records)])


GOOD = Facts(
    node_name="n1",
    conf=slurm(),
    cgroup=conf("ConstrainDevices=yes", "cgroup.conf"),
    gres_conf=gres_conf(),
    version=VERSION,
    node=MIXED._replace(driver_version="570.86.15"),
    scripts=SCRIPTS,
    hooks=HookFacts(None, 6.0, 11.0),
    hook_folder="/opt/hooks",
    slurmd_start=1000.0,
    gres_conf_changed=900.0,
    generation=2,
    generation_changed=900.0,
    boot_id="b",
    gres_map=MAP,
    fresh_map={**MAP, "made_at": 99},
    nvml_plugin=True,
    nvml_link=True,
)


def findings(**changes: Any) -> list[Finding]:
    """What is said of the good node with these facts changed."""
    return examine(GOOD._replace(**changes))


def only(**changes: Any) -> Finding:
    """The one thing that is said."""
    (finding,) = findings(**changes)
    return finding
