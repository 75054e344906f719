"""What is published reaches a real Slurm by the node's way, and back; its neighbour goes on.

Static nodes on one line of slurm.conf: 24.11 by `scontrol reconfigure`, 22.05 by a restart of
slurmctld. No GPU is partitioned: gres.conf names other nodes of /dev.
"""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm_mig.reconfigure.publication import ConfWish, GresWish, prepare
from slurm_mig.reconfigure.publish import begin, carry_out, commit, undo
from slurm_mig.slurm.config.block import wrap
from slurm_mig.slurm.version import SlurmVersion
from slurm_mig.slurm.ways import Cluster as Facts
from slurm_mig.slurm.ways import Kind, Subject, Way, way_of
from tests.cluster.cluster import Cluster
from tests.cluster.conftest import BARE_GRES, CAP, bare, bare_gres, until
from tests.cluster.node import pid_in, start_time

NEW = "gpu:1g.10gb:3"
LINES = "".join(
    f"Name=gpu Type=1g.10gb MultipleFiles=/dev/nvidia0,{CAP}{gi},{CAP}{gi + 1}"
    " Flags=nvidia_gpu_env\n"
    for gi in (3, 12, 21)
)


@pytest.fixture
def cluster(version: str, tmp_path: Path) -> Iterator[Cluster]:
    """Two nodes that share a line of slurm.conf, with gres.confs that are ours."""
    with Cluster.up(
        tmp_path / "c", ["n1", "n2"], slurm=version, make_machine=bare, gres=bare_gres
    ) as running:
        conf = running.conf / "slurm.conf"
        lines = conf.read_text().splitlines()
        (line,) = [each for each in lines if each.startswith("NodeName=n1 ")]
        line = line.replace("n1", "n[1-2]", 1).replace("Port=7001", "Port=[7001-7002]")
        kept = [each for each in lines if not each.startswith("NodeName=")]
        conf.write_text("\n".join([*kept[:-1], f"{line}  # both", kept[-1], ""]))
        own_gres_conf(running).write_text(wrap(BARE_GRES.conf))
        yield running


def own_gres_conf(cluster: Cluster) -> Path:
    return cluster.node("n1").root / "etc/slurm/gres.conf"


def scontrol(cluster: Cluster, *words: str) -> str:
    return cluster.exec("ctl", ["scontrol", *words]).stdout


def shown(cluster: Cluster, node: str, field: str) -> str:
    """A field of `scontrol show node`; "" while slurmctld does not answer."""
    done = cluster.exec("ctl", ["scontrol", "show", "node", "-o", node], check=False)
    found = re.search(rf"\s{field}=(\S*)", done.stdout)
    return found[1] if found else ""


def way(cluster: Cluster) -> Way:
    """The way of n1, by what this Slurm says of itself."""
    said = scontrol(cluster, "show", "config")
    pairs = (line.partition("=") for line in said.splitlines() if "=" in line)
    config = {key.strip().lower(): value.strip() for key, _, value in pairs}
    version = SlurmVersion.parse(config["slurm_version"])
    state = frozenset(shown(cluster, "n1", "State").split("+"))
    return way_of(Subject("n1", state), Facts(version, config, 2, can_restart=True))


def take_the_way(cluster: Cluster, kind: Kind) -> None:
    if kind is Kind.RECONFIGURE:
        scontrol(cluster, "reconfigure")
        return
    pid = pid_in(cluster.folder / "slurmctld.pid")
    os.kill(pid, signal.SIGTERM)
    assert until(lambda: start_time(pid) is None)
    cluster.exec("ctl", ["slurmctld"])


def test_published_and_undone(cluster: Cluster, tmp_path: Path) -> None:
    files = (cluster.conf / "slurm.conf", own_gres_conf(cluster))
    before = [file.read_text() for file in files]
    job = cluster.exec(
        "ctl",
        ["sbatch", "--parsable", "-w", "n2", "--gres=gpu:3g.40gb:1", "--wrap", "sleep 300"],
    ).stdout.strip()
    assert until(lambda: "RUNNING" in scontrol(cluster, "show", "job", job))
    found = way(cluster)
    assert found.kind is (Kind.RESTART if cluster.slurm.version == "22.05" else Kind.RECONFIGURE)

    scontrol(cluster, "update", "nodename=n1", "state=drain", "reason=test")
    cluster.stop_slurmd("n1")
    wish = GresWish(str(files[1]), "n1", wrap(LINES))
    begin(tmp_path, "r", prepare(ConfWish(str(files[0]), {"n1": NEW}), [wish]))
    assert carry_out(tmp_path, "r", 5) == tuple(map(str, files))
    assert f"NodeName=n1 NodeAddr=127.0.0.1 Port=7001 CPUs=16 RealMemory=1000 Gres={NEW}" in (
        files[0].read_text()
    )
    bring_back(cluster, found.kind, NEW)
    out = cluster.srun("-w", "n1", "--gres=gpu:1g.10gb:3", "printenv", "SLURM_STEP_GPUS")
    assert out == "0,1,2\n"

    scontrol(cluster, "update", "nodename=n1", "state=drain", "reason=test")
    cluster.stop_slurmd("n1")
    assert undo(tmp_path, "r", 5) == tuple(map(str, files))
    assert [file.read_text() for file in files] == before
    commit(tmp_path, "r")
    bring_back(cluster, found.kind, BARE_GRES.line)

    said = scontrol(cluster, "show", "job", job)
    assert "JobState=RUNNING" in said
    assert "Restarts=0" in said
    assert shown(cluster, "n2", "Gres") == BARE_GRES.line


def bring_back(cluster: Cluster, kind: Kind, gres: str) -> None:
    """Tell Slurm, start slurmd, and resume the node once it has what was published."""
    take_the_way(cluster, kind)
    cluster.start_slurmd("n1")
    assert until(lambda: shown(cluster, "n1", "Gres") == gres), cluster.logs()
    assert until(lambda: shown(cluster, "n1", "State") == "IDLE+DRAIN"), cluster.logs()
    scontrol(cluster, "update", "nodename=n1", "state=resume")
    assert until(lambda: shown(cluster, "n1", "State") == "IDLE"), cluster.logs()
