"""slurmctld hands its files out: what a node does alone, and what the controller does for it."""

import re
from collections.abc import Iterator

import pytest

from tests.cluster import fleets, hooking, reach
from tests.cluster import reconfiguring as on
from tests.cluster.cluster import Cluster
from tests.cluster.conffiles import Files
from tests.cluster.slurmconf import CTLD_PORT

pytestmark = pytest.mark.system
COPIES = "var/spool/slurmd/conf-cache"
OPTIONS = f"--conf-server ctl:{CTLD_PORT}"


@pytest.fixture(scope="module", params=["24.11", "22.05", "26.05"])
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Nothing but slurmd's commands is configured on the nodes, and the same on the controller."""
    folder = tmp_path_factory.mktemp("configless") / "c"
    with fleets.up(folder, 3, slurm=str(request.param), files=Files.CONFIGLESS) as made:
        yield made


@pytest.fixture(scope="module")
def bystander(cluster: Cluster) -> int:
    """A job that holds a slice of a node that no wave comes to."""
    job = hooking.submit(
        cluster, "-w", "n3", f"--gres=gpu:{on.TYPE}1g.10gb:1", "--wrap", "sleep 3600"
    )
    hooking.wait_state(cluster, job, "RUNNING")
    return job


def other(cluster: Cluster) -> str:
    """The layout that n1 does not have."""
    return "mixed" if fleets.live(cluster, "n1") == on.SEVEN else "seven"


def must_have(cluster: Cluster, label: str, *names: str) -> None:
    """Nodes are as wanted, and their slurmds started with the files that the controller has."""
    fleets.must_have(cluster, names, fleets.LAYOUTS[label])
    for name in names:
        for file in ("gres.conf", "slurm.conf"):
            copy = cluster.node(name).root / COPIES / file
            assert copy.read_text() == (cluster.conf / file).read_text(), (name, file)
        profile = next(iter(fleets.LAYOUTS[label]))
        (answer,) = reach.of_job(cluster, "-w", name, f"--gres=gpu:{on.TYPE}{profile}:1")
        on.must_match([(profile, on.slices(answer))])
    log = (cluster.folder / "log/slurmctld.log").read_text()
    assert "count reported lower than configured" not in log  # nobody registered with old ones


def test_a_node_alone_is_refused(cluster: Cluster) -> None:
    """Before the first change, with what to run and where."""
    files = {file: file.read_text() for file in cluster.conf.iterdir() if file.is_file()}
    done = on.reconfigure(cluster, other(cluster))
    assert done.returncode == 1
    assert "gres.conf is a copy of slurmctld's (configless)" in done.stderr
    assert "run `slurm-mig reconfigure NODES` on ctl" in done.stderr
    assert on.record(cluster) == {}
    assert "DRAIN" not in on.state(cluster)
    assert {file: file.read_text() for file in files} == files


def test_a_run_from_a_machine_with_copies_is_refused(cluster: Cluster) -> None:
    """Before any node is told anything: a login host, say."""
    words = fleets.wish("n[1-2]", other(cluster))
    for more in ([], ["--dry-run"]):
        done = cluster.exec("n3", [*words, *more], check=False)
        assert done.returncode == 1
        assert "no node was told anything" in done.stderr
        assert "run `slurm-mig reconfigure NODES` on ctl" in done.stderr
    assert not (cluster.node("n3").root / fleets.RUNS).exists()


def test_two_nodes_from_the_controller(cluster: Cluster, bystander: int) -> None:
    """slurmd's /run/slurm goes while it is stopped, as under systemd."""
    for _ in range(2):
        label = other(cluster)
        done = fleets.run(cluster, fleets.wish("n[1-2]", label, "--max-unavailable", "2"))
        assert done.returncode == 0, done
        must_have(cluster, label, "n1", "n2")
    assert hooking.job_field(cluster, bystander, "JobState") == "RUNNING"
    assert hooking.job_field(cluster, bystander, "Restarts") == "0"


def test_who_looks_changes_no_copy(cluster: Cluster) -> None:
    """`slurmd -G --conf-server` would fetch new ones: the map and doctor ask without it."""
    folder = cluster.node("n3").root / COPIES
    before = {file.name: file.stat() for file in folder.iterdir()}
    hooking.make_map(cluster, "n3")
    said = hooking.slurm_mig(cluster, "n3", "doctor", "--slurmd-options", f"-N n3 {OPTIONS}")
    assert not re.search("^(wrong|risky)", said, re.MULTILINE), said
    assert {file.name: file.stat() for file in folder.iterdir()} == before


def test_a_node_that_nobody_wrote_to_has_nothing_to_doubt(cluster: Cluster) -> None:
    cluster.srun("-w", "n3", f"--gres=gpu:{on.TYPE}1g.10gb:1", "-D", "/", "true")
    assert "decision=noted" not in hooking.log(cluster, "n3")


def test_a_held_node_waits_for_its_conductor(cluster: Cluster) -> None:
    """It cannot tell Slurm by itself: it says who can, and stays drained until then."""
    label = other(cluster)
    with fleets.started(cluster, fleets.wish("n[1-2]", label, "--max-unavailable", "2")) as run:
        hooking.wait_for(lambda: "held" in fleets.stages(cluster).values(), "HELD", cluster)
        run.kill()
    name = next(name for name, stage in fleets.stages(cluster).items() if stage == "held")
    done = cluster.exec(name, fleets.RECOVER, check=False, timeout_s=120)
    assert done.returncode == 1
    assert "is a copy of slurmctld's (configless)" in done.stderr
    assert "`slurm-mig reconfigure --resume` on ctl" in done.stderr
    assert "DRAIN" in fleets.state(cluster, name)
    done = fleets.run(cluster, fleets.command("--resume"))
    assert done.returncode == 0, done
    must_have(cluster, label, "n1", "n2")
