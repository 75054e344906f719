import pytest

from slurm_mig.doctor.facts import Facts
from slurm_mig.doctor.table import examine
from slurm_mig.slurm.version import SlurmVersion
from tests.doctor.good import conf, findings, only, slurm


def test_of_a_good_node_there_is_nothing_to_say() -> None:
    assert findings() == []


def test_what_could_not_be_looked_at_is_said_as_such_and_nothing_is_guessed() -> None:
    (finding,) = examine(Facts("n1", could_not_look=(("slurm.conf", "not found"),)))
    assert finding == ("unknown", "slurm.conf", "not found", "")


def test_the_worst_comes_first() -> None:
    bad = slurm("PrologFlags=Serial,Alloc", without="GresTypes")
    found = findings(conf=bad, could_not_look=(("x", "y"),))
    assert [finding.level for finding in found] == ["wrong", "risky", "unknown"]


@pytest.mark.parametrize(
    ("kind", "level"),
    [("select/linear", "wrong"), ("cons_res", "risky"), ("SELECT/LINEAR", "wrong")],
)
def test_select_type(kind: str, level: str) -> None:
    finding = only(conf=slurm(f"SelectType={kind}", without="SelectType"))
    assert (finding.level, finding.about) == (level, "SelectType")
    assert "SelectType=select/cons_tres" in finding.remedy


def test_the_default_of_select_type_depends_on_the_release() -> None:
    without = slurm(without="SelectType")
    assert findings(conf=without) == []
    assert only(conf=without, version=SlurmVersion(22, 5, 8)).level == "wrong"


@pytest.mark.parametrize(
    ("now", "line"),
    [
        ("TaskPlugin=task/affinity", "slurm.conf: TaskPlugin=task/affinity,task/cgroup"),
        ("TaskPlugin=none", "slurm.conf: TaskPlugin=task/cgroup"),
        ("", "slurm.conf: TaskPlugin=task/cgroup"),
    ],
)
def test_task_plugin(now: str, line: str) -> None:
    finding = only(conf=slurm(now, without="TaskPlugin"))
    assert (finding.level, finding.remedy) == ("wrong", line)
    assert "every job can open every slice" in finding.what


@pytest.mark.parametrize("text", [None, "", "ConstrainDevices=no", "ConstrainCores=yes"])
def test_constrain_devices(text: str | None) -> None:
    finding = only(cgroup=None if text is None else conf(text, "cgroup.conf"))
    assert (finding.level, finding.remedy) == ("wrong", "cgroup.conf: ConstrainDevices=yes")


def test_proctrack() -> None:
    finding = only(conf=slurm("ProctrackType=proctrack/linuxproc", without="Proctrack"))
    assert (finding.level, finding.about) == ("risky", "ProctrackType")
    assert findings(conf=slurm(without="Proctrack")) == []


@pytest.mark.parametrize(("now", "line"), [("", "gpu"), ("GresTypes=nic,mps", "nic,mps,gpu")])
def test_gres_types(now: str, line: str) -> None:
    finding = only(conf=slurm(now, without="GresTypes"))
    assert (finding.level, finding.remedy) == ("wrong", f"slurm.conf: GresTypes={line}")


def test_accounting_of_gres_needs_slurmdbd() -> None:
    finding = only(conf=slurm("AccountingStorageTRES=cpu,gres/gpu"))
    assert finding.level == "wrong"
    assert "slurmctld does not start" in finding.what
    both = "AccountingStorageTRES=gres/gpu\nAccountingStorageType=accounting_storage/slurmdbd"
    assert findings(conf=slurm(both)) == []
    assert findings(conf=slurm("AccountingStorageTRES=energy")) == []
