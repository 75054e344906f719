"""A slurmctld that is away, or hangs, while the adapter asks: on real clusters."""

import time
from collections.abc import Iterator

import pytest

from slurm_mig.errors import SlurmNotAnswering
from slurm_mig.slurm.controller.cli_client import CliClient
from slurm_mig.slurm.controller.patience import Patience
from tests.cluster import roots
from tests.cluster.conftest import until
from tests.contract.slurm_scenes import RealScene, commands, real

AWAY_S = 3.0


@pytest.fixture(scope="module", params=roots.GATING)
def backend(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealScene]:
    """One cluster for all tests here."""
    with real(tmp_path_factory.mktemp("slurm"), str(request.param)) as scene:
        yield scene


@pytest.fixture
def scene(backend: RealScene) -> RealScene:
    """As it was at first, for each test."""
    backend.clean()
    return backend


@pytest.fixture(scope="module")
def hasty(backend: RealScene, tmp_path_factory: pytest.TempPathFactory) -> CliClient:
    """A client that gives each command so little time that Slurm's own retries never end."""
    path = commands(backend.cluster, tmp_path_factory.mktemp("hasty") / "bin")
    return CliClient(Patience(total_s=30, call_s=0.5), path)


def test_a_question_outlasts_a_restart(scene: RealScene) -> None:
    job = scene.submit("n1", "gpu:3g.40gb:1")
    with scene.away(AWAY_S):
        begin = time.monotonic()
        (found,) = scene.client.jobs_on("n1")
        assert time.monotonic() - begin > AWAY_S / 2
    assert found == job


def test_so_it_does_by_its_own_patience(scene: RealScene, hasty: CliClient) -> None:
    with scene.away(AWAY_S):
        assert not hasty.is_up()
        assert {node.name for node in hasty.nodes()} == {"n1", "n2"}
    assert hasty.is_up()


def test_a_change_outlasts_a_restart(scene: RealScene, hasty: CliClient) -> None:
    with scene.away(AWAY_S):
        hasty.drain("n1", "slurm-mig: x")
    assert scene.client.node("n1").reason == "slurm-mig: x"
    with scene.away(AWAY_S):
        hasty.resume("n1")
    assert until(lambda: not scene.client.node("n1").drains)


def test_a_hanging_slurmctld_is_not_waited_for_longer_than_allowed(
    scene: RealScene, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = commands(scene.cluster, tmp_path_factory.mktemp("brief") / "bin")
    brief = CliClient(Patience(total_s=2, call_s=0.7), path)
    brief.nodes()
    with scene.frozen():
        begin = time.monotonic()
        with pytest.raises(SlurmNotAnswering, match="asked for 2 s") as told:
            brief.drain("n1", "why")
        assert time.monotonic() - begin < 4
        assert not told.value.unsent  # it lies in slurmctld's ear
    scene.client.nodes()


def test_a_resume_that_is_refused_and_done(scene: RealScene) -> None:
    """It is slurmctld's first question since it started: the node has not registered yet."""
    scene.client.drain("n1", "why")
    with scene.away(0.5):
        scene.client.resume("n1")
    node = scene.client.node("n1")
    assert not node.drains
    assert until(lambda: scene.client.node("n1").answers)


def test_a_resume_whose_answer_was_lost_is_looked_for(scene: RealScene, hasty: CliClient) -> None:
    """slurmctld hears it, and says so to nobody: a second one would be refused."""
    scene.client.drain("n1", "why")
    with scene.frozen_for(2.0):
        hasty.resume("n1")
    assert until(lambda: not scene.client.node("n1").drains)


def test_without_slurmctld_nothing_was_changed(
    scene: RealScene, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Slurm's own words for it come after some 9 s: then it is certain that nothing arrived."""
    path = commands(scene.cluster, tmp_path_factory.mktemp("gone") / "bin")
    client = CliClient(Patience(total_s=14, call_s=14, first_pause_s=9), path)
    scene.stop_slurmctld()
    try:
        with pytest.raises(SlurmNotAnswering, match="connect failure") as told:
            client.drain("n1", "why")
        assert told.value.unsent
    finally:
        scene.start_slurmctld()
    assert not scene.client.node("n1").drains
