"""`slurm-mig reconfigure` on real clusters, by each way, while jobs watch; and what goes wrong."""

import time
from collections.abc import Iterator

import pytest

from tests.cluster import crashing, hooking, reach
from tests.cluster import reconfiguring as on
from tests.cluster.cluster import Cluster

WAYS = on.WAYS
STATIC = "24.11, static"
GATING = tuple(way for way in WAYS if not way.startswith("26.05"))
DIFFER = ("PUBLISH", "START", "VERIFY", "RESUME", "COMMIT")  # by way
PHASES = (
    *("DRAIN", "WAIT", "STOP", "PARTITION", "PUBLISH"),
    *("START", "VERIFY", "RESUME", "COMMIT"),
)


@pytest.fixture(scope="module")
def way(request: pytest.FixtureRequest) -> str:
    """By parameter of each test."""
    return str(request.param)


@pytest.fixture(scope="module")
def cluster(way: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    slurm, dynamic = WAYS[way]
    folder = tmp_path_factory.mktemp("reconfigure") / "c"
    with on.up(folder, slurm=slurm, dynamic=dynamic) as made:
        yield made


@pytest.fixture(scope="module")
def bystander(cluster: Cluster) -> int:
    """A job that holds slices of the other node, all the while."""
    words = ["-w", "n2", "--gres=gpu:nvidia_a100_1g.5gb:2", "--wrap", "sleep 3600"]
    job = hooking.submit(cluster, *words)
    hooking.wait_state(cluster, job, "RUNNING")
    return job


@pytest.fixture(autouse=True)
def undisturbed(cluster: Cluster, bystander: int) -> Iterator[None]:
    yield
    assert hooking.job_field(cluster, bystander, "JobState") == "RUNNING"
    assert hooking.job_field(cluster, bystander, "Restarts") == "0"


@pytest.fixture
def watchers(cluster: Cluster) -> Iterator[on.Watchers]:
    """Jobs that are submitted all the while: none is ever given what it did not ask for."""
    with on.Watchers(cluster) as made:
        yield made
    watched = made.finish()
    on.must_match(watched)


def other(cluster: Cluster) -> str:
    """The layout that n1 does not have."""
    return "mixed" if on.live(cluster) == on.SEVEN else "seven"


@on.on_ways(*GATING)
def test_there_and_back_with_jobs_on_both_layouts(cluster: Cluster, watchers: on.Watchers) -> None:
    for label in ("mixed", "seven"):
        done = on.reconfigure(cluster, label)
        assert done.returncode == 0, done
        on.must_have(cluster, on.LAYOUTS[label])
        assert f"n1, {label}: done in" in done.stdout
        for profile in on.LAYOUTS[label]:
            (answer,) = reach.of_job(cluster, "-w", "n1", f"--gres=gpu:{on.TYPE}{profile}:1")
            on.must_match([(profile, on.slices(answer))])


@pytest.mark.parametrize("phase", PHASES)
@on.on_ways(STATIC)
def test_killed_and_recovered(cluster: Cluster, watchers: on.Watchers, phase: str) -> None:
    label = other(cluster)
    on.kill_in(cluster, label, phase)
    if on.record(cluster):
        kept = on.state(cluster)
        assert "DRAIN" in kept or kept == "DELETED" or phase in on.IN_SERVICE, kept
        done = on.recover(cluster)
        print(done.stdout, done.stderr)
        assert done.returncode == 0, done
    on.must_have(cluster, on.LAYOUTS[label])


@on.on_ways(*(way for way in GATING if way != STATIC))
def test_killed_in_phase_after_phase(cluster: Cluster, watchers: on.Watchers) -> None:
    """It in the first, the recover of that in the next, and so on."""
    label = other(cluster)
    on.kill_in_each(cluster, label, PHASES)
    done = on.recover(cluster)
    assert done.returncode == 0, done
    on.must_have(cluster, on.LAYOUTS[label])


@on.on_ways(*GATING)
def test_slurmctld_is_killed_in_phase_after_phase(
    cluster: Cluster, bystander: int, watchers: on.Watchers
) -> None:
    """In one and the same reconfigure; test_reconfigure_faults.py has them one by one."""
    label = other(cluster)
    crashing.wait_until_saved(cluster, began(cluster, bystander) + 1)
    with crashing.cautious(cluster):
        code, told = on.act_in_each(cluster, label, DIFFER, lambda: crashing.crash(cluster, 0.2))
        wanted = on.LAYOUTS[label] if code == 0 else on.live(cluster)
        crashing.must_recover(cluster, told, wanted)


def began(cluster: Cluster, job: int) -> float:
    """When it began, to the second."""
    text = hooking.job_field(cluster, job, "StartTime")
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))
