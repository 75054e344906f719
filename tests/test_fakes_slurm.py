"""What of the fake the contract cannot ask: accidents, and what they do to jobs."""

import pytest

from slurm_mig.errors import SlurmNotAnswering, SlurmRefused
from slurm_mig.slurm.version import SlurmVersion
from tests.fakes_slurm import FakeSlurm, FakeSlurmClient

GRES, OTHER = "gpu:1g.10gb:2,gpu:3g.40gb:1", "gpu:1g.10gb:7"


@pytest.fixture(params=["22.05.8", "24.11.5"])
def cluster(request: pytest.FixtureRequest) -> FakeSlurm:
    cluster = FakeSlurm(SlurmVersion.parse(request.param))
    cluster.add("n1", GRES)
    cluster.add("n2", GRES)
    return cluster


def test_calls_that_are_not_answered(cluster: FakeSlurm) -> None:
    client = FakeSlurmClient(cluster)
    cluster.unanswered = 2
    for _ in range(2):
        assert not client.is_up()
        with pytest.raises(SlurmNotAnswering) as told:
            client.drain("n1", "why")
        assert told.value.unsent
    assert not client.node("n1").drains
    assert client.is_up()


def test_answers_that_are_lost(cluster: FakeSlurm) -> None:
    client = FakeSlurmClient(cluster)
    cluster.lose_answers = 1
    with pytest.raises(SlurmNotAnswering) as told:
        client.drain("n1", "why")
    assert not told.value.unsent
    assert client.node("n1").drains


def test_a_job_whose_gres_go_is_requeued(cluster: FakeSlurm) -> None:
    """Which is why a node is drained first: Slurm does not ask."""
    holds, other = cluster.submit("gpu:3g.40gb:1", "n1"), cluster.submit("gpu:1g.10gb:1", "n2")
    bare = cluster.submit("", "n1")
    cluster.publish("n1", OTHER)
    cluster.restart()
    states = [cluster.jobs[job.job_id].state for job in (holds, other, bare)]
    assert states == ["PENDING", "RUNNING", "RUNNING"]


def test_a_type_that_nobody_has_is_refused(cluster: FakeSlurm) -> None:
    with pytest.raises(SlurmRefused, match="not available"):
        cluster.submit("gpu:7g.80gb:1")


def test_a_drained_node_takes_no_job(cluster: FakeSlurm) -> None:
    client = FakeSlurmClient(cluster)
    client.drain("n1", "why")
    job = cluster.submit("gpu:3g.40gb:1", "n1")
    assert job.state == "PENDING"
    client.resume("n1")
    assert cluster.jobs[job.job_id].state == "RUNNING"


def test_a_node_that_is_cleaned_up_takes_no_job(cluster: FakeSlurm) -> None:
    job = cluster.submit("gpu:3g.40gb:1", "n1")
    cluster.epilogs_end = False
    FakeSlurmClient(cluster).cancel(job)
    assert cluster.submit("gpu:1g.10gb:1", "n1").state == "PENDING"


def test_a_slurmd_with_other_types_of_the_same_number_is_believed(cluster: FakeSlurm) -> None:
    """As a dynamic node's is: what slurmctld has stays, and nobody says a word."""
    node = cluster.add("d1", GRES, dynamic=True)
    node.slurmd_gres = OTHER
    cluster.start_slurmd("d1")
    state = FakeSlurmClient(cluster).node("d1")
    assert not state.registered_badly
    assert [gres.type for gres in state.gres] == ["1g.10gb", "3g.40gb"]


def test_a_slurmd_that_is_gone_is_seen(cluster: FakeSlurm) -> None:
    cluster.stop_slurmd("n1")
    assert not FakeSlurmClient(cluster).node("n1").answers
    assert cluster.submit("gpu:3g.40gb:1", "n1").state == "PENDING"
    cluster.start_slurmd("n1")
    assert FakeSlurmClient(cluster).node("n1").answers


def test_every_call_is_counted(cluster: FakeSlurm) -> None:
    client = FakeSlurmClient(cluster)
    client.drain("n1", "why")
    client.jobs_on("n1")
    client.reconfigure()
    assert cluster.commands == ["drain", "jobs_on", "reconfigure"]
