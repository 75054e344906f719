"""Many nodes from the controller's machine, on real clusters, while jobs watch."""

import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.cluster import fleets, hooking, reach
from tests.cluster import reconfiguring as on
from tests.cluster.cluster import Cluster
from tests.cluster.slurmconf import CONTROLLER

THREE = ("n1", "n2", "n3")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with fleets.up(tmp_path_factory.mktemp("fleet") / "c", 4, slurm="24.11") as made:
        yield made


@pytest.fixture(scope="module")
def bystanders(cluster: Cluster) -> list[int]:
    """Jobs that hold slices of a node that no wave comes to, and none of one that one does."""
    words = [["-w", "n4", f"--gres=gpu:{on.TYPE}1g.10gb:2"], ["-w", "n1"]]
    jobs = [hooking.submit(cluster, *each, "--wrap", "sleep 3600") for each in words]
    for job in jobs:
        hooking.wait_state(cluster, job, "RUNNING")
    return jobs


@pytest.fixture
def sound(cluster: Cluster, bystanders: list[int]) -> Iterator[None]:
    """Jobs watch; nobody is disturbed."""
    with on.Watchers(cluster, THREE) as watchers:
        yield
    on.must_match(watchers.finish())
    for job in bystanders:
        assert hooking.job_field(cluster, job, "JobState") == "RUNNING"
        assert hooking.job_field(cluster, job, "Restarts") == "0"


def other(cluster: Cluster) -> str:
    """The layout that n1 does not have."""
    return "mixed" if fleets.live(cluster, "n1") == on.SEVEN else "seven"


def must_end(done: "subprocess.CompletedProcess[str]", code: int) -> str:
    """What it said, if it ended so."""
    assert done.returncode == code, done
    return done.stdout + done.stderr


def jobs_fit(cluster: Cluster, names: Sequence[str], label: str) -> None:
    """A job on each node gets what it asks for."""
    profile = next(iter(fleets.LAYOUTS[label]))
    for name in names:
        (answer,) = reach.of_job(cluster, "-w", name, f"--gres=gpu:{on.TYPE}{profile}:1")
        on.must_match([(profile, on.slices(answer))])


@pytest.mark.usefixtures("sound")
def test_two_waves(cluster: Cluster) -> None:
    label, before = other(cluster), fleets.rereads(cluster)
    words = fleets.wish("n[1-3]", label, "--max-unavailable", "2")
    said = must_end(fleets.run(cluster, [*words, "--dry-run"]), 0)
    assert f"to {label}: 3 nodes in 2 waves, 2 at a time" in said
    assert "GPU-hours out of service, estimated: 0.05 at least" in said
    said = must_end(fleets.run(cluster, words), 0)
    assert f"to {label}: 3 done" in said
    assert fleets.rereads(cluster) == before + 2
    fleets.must_have(cluster, THREE, fleets.LAYOUTS[label])
    jobs_fit(cluster, ("n2",), label)
    assert "done" in must_end(fleets.run(cluster, fleets.command("--status")), 0)


@pytest.mark.usefixtures("sound")
def test_the_conductor_is_killed_and_another_one_goes_on(cluster: Cluster) -> None:
    label = other(cluster)
    with fleets.started(cluster, fleets.wish("n[1-3]", label, "--max-unavailable", "2")) as run:
        hooking.wait_for(
            lambda: "held" in fleets.stages(cluster).values() or run.poll() is not None,
            "a node that is held",
            cluster,
        )
        run.kill()
    said = must_end(fleets.run(cluster, fleets.command("--status")), 0)
    assert f"to {label}, begun on {CONTROLLER}: interrupted" in said
    said = must_end(fleets.run(cluster, fleets.command("--resume")), 0)
    assert f"to {label}: 3 done" in said
    fleets.must_have(cluster, THREE, fleets.LAYOUTS[label])


@pytest.mark.usefixtures("sound")
def test_two_nodes_of_a_wave_fail(cluster: Cluster) -> None:
    """Their slurmd does not start with what is new: both are as before, the run stops."""
    label = other(cluster)
    before = fleets.live(cluster, "n1")
    lines = sum(fleets.LAYOUTS[label].values())
    script = cluster.folder / "site/slurmd-start"
    text = script.read_text()
    check = (
        f'case "$(uname -n)" in n1|n2) [ "$(grep -c Name=gpu /etc/slurm/gres.conf)" != {lines} ]'
        " || exit 1;; esac"
    )
    script.write_text(text.replace("\neval", f"\n{check}\neval"))
    try:
        done = fleets.run(cluster, fleets.wish("n[1-4]", label, "--max-unavailable", "3"))
    finally:
        script.write_text(text)
    said = must_end(done, 1)
    assert said.count("not done, and the node is as before") == 2
    assert "2 failed, of which there may be 1: 1 node not begun" in said
    fleets.must_have(cluster, ("n1", "n2"), before)
    fleets.must_have(cluster, ("n3",), fleets.LAYOUTS[label])
    assert fleets.stages(cluster) == {"n1": "former", "n2": "former", "n3": "done", "n4": "waiting"}


@pytest.mark.usefixtures("sound")
def test_a_node_is_not_reached_any_more(cluster: Cluster) -> None:
    """It has been cut up and Slurm was told: it stays drained until the run is taken up again."""
    label = other(cluster)
    fleets.write_reach(cluster, "n2", times=2)  # to wait for its jobs, and to be cut up
    said = must_end(fleets.run(cluster, fleets.wish("n[1-3]", label, "--max-unavailable", "3")), 1)
    assert "n2: not reached any more, and the node stays drained" in said
    assert "DRAIN" in fleets.state(cluster, "n2")
    reason = hooking.node_field(cluster, "n2", "Reason")
    assert reason.startswith("slurm-mig reconfigure --resume"), reason
    published = {one["name"]: one["published"] for one in fleets.record(cluster)["nodes"]}
    assert published["n2"] == "target"
    fleets.must_have(cluster, ("n1", "n3"), fleets.LAYOUTS[label])
    fleets.write_reach(cluster)
    must_end(fleets.run(cluster, fleets.command("--resume")), 0)
    fleets.must_have(cluster, THREE, fleets.LAYOUTS[label])


@pytest.mark.system
@pytest.mark.usefixtures("sound")
def test_ctrl_c_orders_nobody_any_more(cluster: Cluster) -> None:
    label = other(cluster)
    with fleets.started(cluster, fleets.wish("n[1-3]", label, "--max-unavailable", "1")) as run:
        hooking.wait_for(lambda: "ordered" in fleets.stages(cluster).values(), "an order", cluster)
        run.send_signal(signal.SIGINT)
        said = run.communicate(timeout=120)[1]
    assert run.returncode == 130
    assert "`slurm-mig reconfigure --resume` goes on" in said
    assert list(fleets.stages(cluster).values()).count("waiting") == 2
    must_end(fleets.run(cluster, fleets.command("--resume")), 0)
    fleets.must_have(cluster, THREE, fleets.LAYOUTS[label])


@pytest.mark.system
@pytest.mark.usefixtures("sound")
def test_back_to_what_was_before(cluster: Cluster) -> None:
    label, before = other(cluster), fleets.live(cluster, "n1")
    must_end(fleets.run(cluster, fleets.wish("n[1-3]", label, "--max-unavailable", "3")), 0)
    must_end(
        fleets.run(cluster, fleets.command("n[1-3]", "--rollback", "--max-unavailable", "3")), 0
    )
    fleets.must_have(cluster, THREE, before)


@pytest.mark.system
@pytest.mark.usefixtures("sound")
def test_a_held_node_is_recovered_alone(cluster: Cluster) -> None:
    """The conductor is gone for good: `slurm-mig recover` there tells Slurm by itself."""
    label = other(cluster)
    with fleets.started(cluster, fleets.wish("n[1-2]", label, "--max-unavailable", "2")) as run:
        hooking.wait_for(lambda: "held" in fleets.stages(cluster).values(), "HELD", cluster)
        run.kill()
    for name in ("n1", "n2"):
        must_end(cluster.exec(name, fleets.RECOVER, check=False, timeout_s=120), 0)
    fleets.must_have(cluster, ("n1", "n2"), fleets.LAYOUTS[label])
    must_end(fleets.run(cluster, fleets.command("--resume")), 0)
    must_end(fleets.run(cluster, fleets.wish("n3", label)), 0)
    fleets.must_have(cluster, THREE, fleets.LAYOUTS[label])


@pytest.mark.parametrize(
    ("slurm", "dynamic"),
    [
        pytest.param("22.05", None, id="22.05, static"),
        pytest.param("24.11", "n1", id="24.11, a dynamic one"),
        pytest.param("22.05", "n1", id="22.05, a dynamic one", marks=pytest.mark.system),
    ],
)
def test_by_the_other_ways(tmp_path: Path, slurm: str, dynamic: str | None) -> None:
    """Before 23.11 slurmctld is started anew, once for the wave; a dynamic node tells by itself."""
    with fleets.up(tmp_path / "c", 2, slurm=slurm, dynamic=dynamic) as cluster:
        before = fleets.starts(cluster), fleets.rereads(cluster)
        said = must_end(
            fleets.run(cluster, fleets.wish("n[1-2]", "mixed", "--max-unavailable", "2")), 0
        )
        assert "to mixed: 2 done" in said
        fleets.must_have(cluster, ("n1", "n2"), on.MIXED)
        after = fleets.starts(cluster), fleets.rereads(cluster)
        assert (after[0] - before[0] if slurm == "22.05" else after[1] - before[1]) == 1
