"""One /etc/slurm for all nodes, with one gres.conf in it: a node's lines change, no other's."""

import re
from collections.abc import Iterator

import pytest

from tests.cluster import fleets, hooking
from tests.cluster import reconfiguring as on
from tests.cluster.cluster import Cluster
from tests.cluster.conffiles import BY_HAND, Files

CONFIG = f'{fleets.CONFIG}shared_gres_conf = "/etc/slurm/gres.conf"\n'
BLOCK = re.compile(r"# BEGIN slurm-mig (\S+)\n.*?# END slurm-mig \1\n", re.DOTALL)


@pytest.fixture(scope="module", params=["24.11", pytest.param("22.05", marks=pytest.mark.system)])
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("shared") / "c"
    slurm = str(request.param)
    with fleets.up(folder, 3, slurm=slurm, config=CONFIG, files=Files.SHARED) as made:
        yield made


@pytest.fixture(scope="module")
def bystander(cluster: Cluster) -> int:
    """A job that holds a slice of a neighbour."""
    job = hooking.submit(
        cluster, "-w", "n3", f"--gres=gpu:{on.TYPE}1g.10gb:1", "--wrap", "sleep 3600"
    )
    hooking.wait_state(cluster, job, "RUNNING")
    return job


def text(cluster: Cluster, name: str) -> str:
    return (cluster.conf / name).read_text()


def slurmds(cluster: Cluster, *names: str) -> list[str]:
    return [(cluster.node(name).folder / "slurmd.pid").read_text() for name in names]


def must_be_undisturbed(cluster: Cluster, bystander: int) -> None:
    """The neighbour's job runs on; its hooks, doctor and map have nothing to say of its files."""
    assert hooking.job_field(cluster, bystander, "JobState") == "RUNNING"
    assert hooking.job_field(cluster, bystander, "Restarts") == "0"
    cluster.srun("-w", "n3", f"--gres=gpu:{on.TYPE}1g.10gb:1", "-D", "/", "true")
    assert "decision=noted" not in hooking.log(cluster, "n3")
    said = hooking.slurm_mig(cluster, "n3", "doctor", "--slurmd-options", "-N n3")
    assert not re.search("^(wrong|risky)", said, re.MULTILINE), said
    hooking.make_map(cluster, "n3")


def test_one_node(cluster: Cluster, bystander: int) -> None:
    """Its lines leave the block of many and get one of their own; then only that one changes."""
    gres, conf, before = (
        text(cluster, "gres.conf"),
        text(cluster, "slurm.conf"),
        slurmds(cluster, "n2", "n3"),
    )
    assert gres.startswith(BY_HAND)
    done = on.reconfigure(cluster, "mixed")
    assert done.returncode == 0, done
    on.must_have(cluster, on.MIXED)
    new = text(cluster, "gres.conf")
    narrowed = re.sub(r"^NodeName=n\[1-3\]", "NodeName=n[2-3]", gres, flags=re.MULTILINE)
    assert BLOCK.sub("", new) == narrowed
    pairs = zip(conf.splitlines(), text(cluster, "slurm.conf").splitlines(), strict=True)
    assert [old.split()[0] for old, now in pairs if old != now] == ["NodeName=n1"]
    done = on.reconfigure(cluster, "seven")
    assert done.returncode == 0, done
    on.must_have(cluster, on.SEVEN)
    assert BLOCK.sub("", text(cluster, "gres.conf")) == narrowed
    assert text(cluster, "slurm.conf") == conf
    if cluster.slurm.version == "22.05":  # later ones replace every slurmd at a reconfigure
        assert slurmds(cluster, "n2", "n3") == before
    must_be_undisturbed(cluster, bystander)


@pytest.mark.system
def test_two_nodes_from_the_controller(cluster: Cluster, bystander: int) -> None:
    """Written there, once for both."""
    before = BLOCK.sub("", text(cluster, "gres.conf"))
    words = fleets.wish("n[1-2]", "mixed", "--max-unavailable", "2")
    done = fleets.run(cluster, words)
    assert done.returncode == 0, done
    fleets.must_have(cluster, ("n1", "n2"), on.MIXED)
    fleets.must_have(cluster, ("n3",), on.SEVEN)
    new = text(cluster, "gres.conf")
    assert {found[1] for found in BLOCK.finditer(new)} == {"n1", "n2"}
    left = re.sub(r"^NodeName=n\[2-3\]", "NodeName=n3", before, flags=re.MULTILINE)
    assert BLOCK.sub("", new) == left
    must_be_undisturbed(cluster, bystander)


@pytest.mark.system
def test_a_setting_that_was_forgotten(cluster: Cluster, bystander: int) -> None:
    """The file is not this node's: refused before the node is drained, here and from there."""
    settings = cluster.node("n3").root / "etc/slurm-mig/config.toml"
    gres = text(cluster, "gres.conf")
    settings.write_text(fleets.CONFIG)
    try:
        alone = cluster.exec("n3", fleets.wish("n3", "mixed"), check=False)
        of_many = fleets.run(cluster, fleets.wish("n3", "mixed"))
    finally:
        settings.write_text(CONFIG)
    for done in (alone, of_many):
        assert done.returncode == 1, done
        assert "set shared_gres_conf in [reconfigure] of config.toml" in done.stderr
    assert fleets.stages(cluster) == {"n3": "refused"}
    assert text(cluster, "gres.conf") == gres
    assert "DRAIN" not in hooking.node_field(cluster, "n3", "State")
    must_be_undisturbed(cluster, bystander)
