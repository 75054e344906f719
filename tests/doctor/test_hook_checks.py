from typing import Any

import pytest

from slurm_mig.doctor.facts import HookFacts, Script
from slurm_mig.slurm.version import SlurmVersion
from tests.doctor.good import SCRIPTS, findings, gres_conf, only, slurm

THEIRS = Script("/etc/slurm/prolog.sh", executable=True, ours=False)


def without(*keys: str) -> dict[str, Any]:
    return {key: value for key, value in SCRIPTS.items() if key not in keys}


def test_what_slurm_conf_names_must_be_there() -> None:
    finding = only(scripts={**SCRIPTS, "taskprolog": ()}, gres_conf=None)
    assert (finding.level, finding.about) == ("wrong", "TaskProlog")
    assert "/opt/hooks/task-prolog, which is not there" in finding.what
    assert finding.remedy == "slurm.conf: TaskProlog=/opt/hooks/task-prolog"


def test_a_script_that_does_not_run_or_is_not_root_s_own() -> None:
    stuck = Script("/opt/hooks/prolog", executable=False, ours=True)
    finding = only(scripts={**SCRIPTS, "prolog": (stuck,)})
    assert (finding.level, finding.remedy) == ("wrong", "chmod +x /opt/hooks/prolog")
    open_to_all = Script("/opt/hooks/epilog", True, True, others_may_write=True)
    finding = only(scripts={**SCRIPTS, "epilog": (open_to_all,)})
    assert finding.level == "wrong"
    assert "others than root may write" in finding.what


def test_without_our_hooks_slices_are_neither_verified_nor_accounted() -> None:
    found = findings(scripts={"prolog": (THEIRS,), "taskprolog": SCRIPTS["taskprolog"]})
    assert [(each.level, each.about) for each in found] == [
        ("risky", "Prolog"),
        ("risky", "Epilog"),
    ]
    assert found[1].remedy == "slurm.conf: Epilog=/opt/hooks/epilog"


@pytest.mark.parametrize(("off", "about"), [("epilog", "Epilog"), ("prolog", "Prolog")])
def test_one_of_the_two_alone_is_wrong(off: str, about: str) -> None:
    finding = only(scripts=without(off))
    assert (finding.level, finding.about) == ("wrong", about)


def test_a_site_s_own_script_beside_ours() -> None:
    assert findings(scripts={**SCRIPTS, "prolog": (THEIRS, *SCRIPTS["prolog"])}) == []


def test_config_only_lines_need_a_task_prolog() -> None:
    finding = only(scripts=without("taskprolog"))
    assert (finding.level, finding.about) == ("wrong", "TaskProlog")
    assert "CUDA finds no slice" in finding.what


def test_with_autodetect_it_is_of_use_before_23_11_4() -> None:
    facts = {"scripts": without("taskprolog"), "gres_conf": gres_conf(nvml=True)}
    assert findings(**facts, autodetect="nvml") == []
    old = findings(**facts, autodetect="nvml", version=SlurmVersion(23, 11, 3))
    assert ("risky", "TaskProlog") in {(each.level, each.about) for each in old}


@pytest.mark.parametrize(
    ("flags", "line"),
    [("", "Alloc,Contain"), ("PrologFlags=NoHold", "NoHold,Alloc,Contain")],
)
def test_without_alloc_a_prolog_may_not_run(flags: str, line: str) -> None:
    finding = only(conf=slurm(flags, without="PrologFlags"))
    assert (finding.level, finding.remedy) == ("risky", f"slurm.conf: PrologFlags={line}")


@pytest.mark.parametrize("flags", ["Contain", "x11", "alloc"])
def test_flags_that_imply_alloc(flags: str) -> None:
    assert findings(conf=slurm(f"PrologFlags={flags}", without="PrologFlags")) == []


def test_serial_costs_throughput() -> None:
    finding = only(conf=slurm("PrologFlags=Alloc,Serial", without="PrologFlags"))
    assert (finding.level, "Serial" in finding.what) == ("risky", True)


def test_run_in_job_by_release() -> None:
    conf = slurm("PrologFlags=Contain,RunInJob", without="PrologFlags")
    assert only(conf=conf).level == "note"
    old = findings(conf=conf, version=SlurmVersion(23, 11, 10))
    assert ("wrong", "PrologFlags") in {(each.level, each.about) for each in old}


def test_a_timeout_that_is_shorter_than_our_own_waits() -> None:
    found = findings(conf=slurm("PrologEpilogTimeout=10"))
    assert [(each.level, each.about, each.remedy) for each in found] == [
        ("wrong", "PrologEpilogTimeout", "slurm.conf: PrologEpilogTimeout=21")
    ]
    assert "the epilog may wait 11 s: the node would drain" in found[0].what
    assert findings(conf=slurm("PrologEpilogTimeout=60")) == []
    assert findings(conf=slurm("PrologEpilogTimeout=INFINITE")) == []


def test_timeouts_of_their_own_since_25_05() -> None:
    conf = slurm("PrologEpilogTimeout=60\nPrologTimeout=5")
    assert findings(conf=conf) == []  # 24.11 does not know it
    assert only(conf=conf, version=SlurmVersion(25, 5, 3)).about == "PrologTimeout"


def test_users_are_told_of_a_prolog_that_outlasts_message_timeout() -> None:
    finding = only(hooks=HookFacts(None, 9.0, 11.0))
    assert (finding.level, finding.remedy) == ("risky", "slurm.conf: MessageTimeout=12")
    assert findings(hooks=HookFacts(None, 9.0, 11.0), conf=slurm("MessageTimeout=30")) == []


def test_what_becomes_of_a_job_whose_prolog_failed() -> None:
    assert only(conf=slurm(without="SchedulerParameters")).level == "note"


def test_a_mistake_in_config_toml() -> None:
    finding = only(hooks=HookFacts("config.toml: [hooks] has no setting 'x'", 6.0, 11.0))
    assert (finding.level, finding.about) == ("wrong", "config.toml")
    assert "defaults" in finding.what
