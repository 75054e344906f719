"""What a dynamic node is started with: as before, with other GPUs."""

import pytest

from slurm_mig.errors import Refused
from slurm_mig.slurm.dynamicconf import from_conf, from_node
from slurm_mig.slurm.version import SlurmVersion

NEW = "gpu:1g.10gb:7"
V22, V24 = SlurmVersion(22, 5, 8), SlurmVersion(24, 11, 5)
# `scontrol show node -o` of 24.11.5, cut up.
FIELDS = {
    "NodeName": "t1",
    "Arch": "x86_64",
    "CPUTot": "8",
    "CPULoad": "0.61",
    "AvailableFeatures": "a,b",
    "ActiveFeatures": "a,b",
    "Gres": "gpu:1g.10gb:2,gpu:3g.40gb:1",
    "NodeAddr": "10.0.0.1",
    "Port": "6818",
    "RealMemory": "4000",
    "Sockets": "2",
    "Boards": "1",
    "CoresPerSocket": "2",
    "ThreadsPerCore": "2",
    "TmpDisk": "0",
    "Weight": "1",
    "State": "IDLE+DYNAMIC_NORM",
}


@pytest.mark.parametrize(
    ("conf", "new"),
    [
        ("CPUs=2 Gres=gpu:a:1 Feature=x", "CPUs=2 Gres=@ Feature=x"),
        ('gres="gpu:a:1"  CPUs=2', 'gres="@"  CPUs=2'),
        ("CPUs=2 Gres=nic:1,gpu:a:1", "CPUs=2 Gres=nic:1,@"),
        ("CPUs=2 ", "CPUs=2 Gres=@"),
        ("", "Gres=@"),
        ("Gres=@", "Gres=@"),
    ],
)
def test_the_words_it_was_started_with(conf: str, new: str) -> None:
    assert from_conf(conf.replace("@", NEW), NEW) == new.replace("@", NEW)


@pytest.mark.parametrize(
    ("conf", "new"),
    [
        ('CPUs=2 Gres="gpu:a:1" Reason="a  b"', 'CPUs=2 Reason="a  b"'),
        ("Gres=gpu:a:1", ""),
        ("GRES = gpu:a:1 CPUs=2", "CPUs=2"),
        ("CPUs=2", "CPUs=2"),
        ("Gres=gpu:a:1,nic:1", "Gres=nic:1"),
    ],
)
def test_gpus_that_slurmd_is_to_detect(conf: str, new: str) -> None:
    assert from_conf(conf, None) == new


@pytest.mark.parametrize(
    ("conf", "why"),
    [
        ("CPUs=2 some words", "cannot read it"),
        ("CPUs=2 cpus=3", "twice"),
        ("CPUs=2\\", "cannot read it|a backslash"),
        ("A=1\nCPUs=2", "more than one line"),
        ("NodeName=n1 CPUs=2", "slurmd takes -N"),
        ("Gres+=gpu:1", "operator"),
        ("Gres=gpu:1,shard:2", "counts on the GPUs"),
    ],
)
def test_words_that_cannot_be_changed(conf: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        from_conf(conf, NEW)


def test_from_what_slurm_shows() -> None:
    said = "CPUs=8 Sockets=2 CoresPerSocket=2 ThreadsPerCore=2 RealMemory=4000 Feature=a,b"
    assert from_node(FIELDS, NEW, V24) == f"{said} Gres={NEW}"
    assert from_node(FIELDS, None, V24) == said
    more = {"Port": "7001", "Weight": "7", "Boards": "2", "CoreSpecCount": "1", "TmpDisk": "9"}
    assert from_node({**FIELDS, **more}, NEW, V24) == (
        "CPUs=8 Boards=2 Sockets=2 CoresPerSocket=2 ThreadsPerCore=2 RealMemory=4000 TmpDisk=9"
        f" Weight=7 CoreSpecCount=1 Feature=a,b Port=7001 Gres={NEW}"
    )


def test_nothing_shown_is_nothing_said() -> None:
    fields = {"CPUTot": "2", "AvailableFeatures": "(null)", "Gres": "(null)", "Port": "6818"}
    assert from_node(fields, NEW, V22) == f"CPUs=2 Gres={NEW}"


def test_a_port_of_its_own_is_not_for_22_05() -> None:
    fields = {**FIELDS, "Port": "7001"}
    with pytest.raises(Refused, match="takes no Port=: the node's port is 7001"):
        from_node(fields, NEW, V22)
    assert "Port=" not in from_node(fields, NEW, V22, slurmd_port=7001)


def test_other_gres_stay() -> None:
    fields = {**FIELDS, "Gres": "gpu:a:1(S:0-1),nic:2"}
    assert from_node(fields, NEW, V24).endswith(f"Gres={NEW},nic:2")
