"""What a dynamic node is started with: as before, with other GPUs."""

import pytest

from slurm_mig.errors import Refused
from slurm_mig.slurm.config.dynamicconf import from_conf

NEW = "gpu:1g.10gb:7"


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
def test_no_gpus_at_all(conf: str, new: str) -> None:
    assert from_conf(conf, "") == new


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
