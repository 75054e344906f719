"""Real slurmds, deleted and started with our words, are the nodes they were, but for their GPUs."""

from collections.abc import Sequence

import pytest

from slurm_mig.slurm.config.dynamicconf import from_conf
from tests.cluster.roots import GATING
from tests.cluster.slurmctlds import dynamic_nodes

DEVICES = ("null", "zero", "full", "random", "urandom")  # any will do: no driver is asked
OLD, NEW = "gpu:3g.40gb:1,gpu:1g.10gb:2,nic:1", "gpu:1g.10gb:4"
WORDS = (
    "CPUs=8 Sockets=2 CoresPerSocket=2 ThreadsPerCore=2 RealMemory=40 TmpDisk=5"
    ' Feature="a,b" Weight=7 CoreSpecCount=1'
)


def gres_conf(*types: str) -> str:
    """A line a GPU."""
    lines = [
        f"Name=gpu Type={kind} File=/dev/{device}\n"
        for kind, device in zip(types, DEVICES, strict=False)
    ]
    return "".join(lines) + "Name=nic Count=1\n"


def same(was: dict[str, str], now: dict[str, str]) -> bool:
    """Whether a node is as it was but for its GPUs, and well."""
    gres = now.pop("Gres"), was.pop("Gres")
    assert gres == (f"{NEW},nic:1", OLD)
    assert "INVALID_REG" not in now["State"] + was["State"]
    return was == now


def shown(release: str, *starts: tuple[str, str], more: str = "") -> Sequence[dict[str, str]]:
    return dynamic_nodes(release, starts, more)


@pytest.mark.parametrize("release", GATING)
def test_from_the_former_words(release: str) -> None:
    old = (f"{WORDS} Gres={OLD}", gres_conf("3g.40gb", "1g.10gb", "1g.10gb"))
    new = (from_conf(old[0], NEW), gres_conf(*["1g.10gb"] * 4))
    was, now = shown(release, old, new)
    assert same(dict(was), now)


def test_a_port_of_its_own() -> None:
    old = "CPUs=2 Port=7003 Gres=gpu:a:1"
    new = from_conf(old, "gpu:b:1")
    _, now = shown("24.11", (old, gres_conf("a")), (new, gres_conf("b")))
    assert (now["Port"], now["Gres"]) == ("7003", "gpu:b:1")


def test_22_05_refuses_a_port_as_the_facts_say() -> None:
    with pytest.raises(AssertionError, match="Port"):
        shown("22.05", ("CPUs=2 Port=7003 Gres=gpu:a:1", gres_conf("a")))
