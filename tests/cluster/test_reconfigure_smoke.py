"""`slurm-mig reconfigure --smoke` on real clusters: test jobs run, and nobody else's meanwhile."""

import json
import time
from calendar import timegm
from collections.abc import Iterator

import pytest

from tests.cluster import hooking
from tests.cluster import reconfiguring as on
from tests.cluster.cluster import Cluster
from tests.cluster.slurmconf import CONTROLLER

STATIC, DYNAMIC = "24.11, static", "22.05, dynamic"
ONE = f"--gres=gpu:{on.TYPE}1g.10gb:1"


@pytest.fixture(scope="module")
def way(request: pytest.FixtureRequest) -> str:
    """By parameter of each test."""
    return str(request.param)


@pytest.fixture(scope="module")
def cluster(way: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    slurm, dynamic = on.WAYS[way]
    folder = tmp_path_factory.mktemp("smoke") / "c"
    with on.up(folder, slurm=slurm, dynamic=dynamic) as made:
        yield made


@pytest.fixture(autouse=True)
def sound(cluster: Cluster) -> Iterator[None]:
    """Jobs watch; n1 is in service at the end, and nothing is left of the test jobs."""
    with on.Watchers(cluster) as watchers:
        yield
    watched = watchers.finish()
    on.must_match(watched)
    on.must_have(cluster, on.live(cluster))
    assert reservations(cluster) == []
    assert not list((cluster.node("n1").root / "run/slurm-mig").glob("smoke-*"))
    asked = cluster.exec(CONTROLLER, ["squeue", "-h", "-o", "%j"])
    assert "slurm-mig" not in asked.stdout


def other(cluster: Cluster) -> str:
    """The layout that n1 does not have."""
    return "mixed" if on.live(cluster) == on.SEVEN else "seven"


def reservations(cluster: Cluster) -> list[str]:
    shown = cluster.exec(CONTROLLER, ["scontrol", "-o", "show", "reservation"]).stdout
    return [line.split()[0] for line in shown.splitlines() if line.startswith("Reservation")]


def waiting(cluster: Cluster) -> int:
    """An ordinary user's job that wants a slice of n1, whatever n1 is cut into."""
    return hooking.submit(cluster, "-w", "n1", ONE, "--wrap", "sleep 1")


def began(cluster: Cluster, job: int) -> float:
    """When the job began, to the second."""
    text = hooking.job_field(cluster, job, "StartTime")
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))


def phase_ended(cluster: Cluster, phase: str) -> float:
    """When the last such phase was over, to the second."""
    file = cluster.node("n1").root / "var/log/slurm-mig/reconfigure.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    line = [line for line in lines if line["phase"] == phase][-1]
    return float(timegm(time.strptime(line["time"], "%Y-%m-%dT%H:%M:%SZ")))


@on.on_ways(STATIC, DYNAMIC)
def test_a_test_job_on_each_slice_and_nobody_else_s(cluster: Cluster) -> None:
    """A user's job that waits for just these slices starts when they are tested."""
    label = other(cluster)
    jobs: list[int] = []
    code, told = on.in_phase(
        cluster, label, "WAIT", lambda _: jobs.append(waiting(cluster)), "--smoke"
    )
    assert code == 0, told
    assert " SMOKE\n" in told
    on.must_have(cluster, on.LAYOUTS[label])
    hooking.wait_state(cluster, jobs[0], "RUNNING", "COMPLETING", "COMPLETED")
    assert began(cluster, jobs[0]) >= phase_ended(cluster, "SMOKE")


@on.on_ways("none")
def test_a_test_job_that_fails_leads_back(cluster: Cluster) -> None:
    before, label = on.live(cluster), other(cluster)
    config = cluster.node("n1").root / "etc/slurm-mig/config.toml"
    text = config.read_text()
    words = '["/bin/sh", "-c", "echo no memory >&2; exit 3"]'
    config.write_text(f"{text}smoke_command = {words}\n")
    try:
        done = on.reconfigure(cluster, label, "--smoke")
    finally:
        config.write_text(text)
    assert done.returncode == 1
    assert "ended with 3: no memory" in done.stderr
    assert "the node is as before" in done.stderr
    on.must_have(cluster, before)


@on.on_ways(STATIC)
def test_what_the_map_says_is_not_so(cluster: Cluster) -> None:
    """Our own prolog refuses test jobs too, and so drains the node: that is no other's drain."""
    before, label = on.live(cluster), other(cluster)

    def swap(_: object) -> None:
        file = cluster.node("n1").root / "run/slurm-mig/gres-map.json"
        found = json.loads(file.read_text())
        one, two = (entry["files"] for entry in found["gres"][:2])
        one[2], two[2] = two[2], one[2]
        file.write_text(json.dumps(found))

    code, told = on.in_phase(cluster, label, "SMOKE", swap, "--smoke")
    assert code == 1, told
    assert "the node is as before" in told
    on.must_have(cluster, before)


@pytest.mark.parametrize(
    "undo", [pytest.param(False, marks=pytest.mark.system), pytest.param(True)]
)
@on.on_ways(STATIC)
def test_killed_while_test_jobs_run(cluster: Cluster, undo: bool) -> None:
    """Until somebody recovers it, the node takes nobody's jobs."""
    before, label = on.live(cluster), other(cluster)
    job: list[int] = []

    def kill(process: "on.Process") -> None:
        job.append(waiting(cluster))
        hooking.wait_for(lambda: on.smoked(cluster), "a test job", cluster)
        process.kill()

    on.in_phase(cluster, label, "SMOKE", kill, "--smoke")
    assert reservations(cluster) != []
    time.sleep(2)
    assert hooking.job_field(cluster, job[0], "JobState") == "PENDING"
    done = on.recover(cluster, *(["--undo"] if undo else []))
    assert done.returncode == 0, done
    on.must_have(cluster, before if undo else on.LAYOUTS[label])
    assert (" SMOKE\n" in done.stdout) != undo


@on.on_ways(STATIC)
def test_a_node_of_somebody_s_reservation_is_not_touched(cluster: Cluster) -> None:
    words = ["reservationname=theirs", "nodes=n1", "users=root", "starttime=now"]
    words += ["duration=60", "flags=MAINT,IGNORE_JOBS"]
    cluster.exec(CONTROLLER, ["scontrol", "create", "reservation", *words])
    try:
        done = on.reconfigure(cluster, other(cluster), "--smoke")
    finally:
        cluster.exec(CONTROLLER, ["scontrol", "delete", "reservationname=theirs"])
    assert done.returncode == 1
    assert "n1 is in reservation theirs" in done.stderr
