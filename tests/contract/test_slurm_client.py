"""What the Slurm port promises, asked of the fake and of real Slurms."""

from collections.abc import Iterator

import pytest

from slurm_mig.errors import NoSuchNode, SlurmRefused, UsageError
from slurm_mig.slurm.controller.client import Batch, GresCount, HeldGres
from slurm_mig.slurm.version import SlurmVersion
from tests.cluster.conftest import until
from tests.contract.slurm_scenes import GRES, OTHER, FakeScene, Scene, real, state_becomes

BACKENDS = [
    "fake-22.05.8",
    "fake-24.11.5",
    "22.05",
    "24.11",
    "24.11-text",
    pytest.param("26.05", marks=pytest.mark.system),
    pytest.param("26.05-text", marks=pytest.mark.system),
    pytest.param("26.05-pyslurm", marks=pytest.mark.system),
]
THREE = (GresCount("gpu", "1g.10gb", 2), GresCount("gpu", "3g.40gb", 1))
HOSTILE = "x UserId=0 JOB_GRES=none  Nodes=n1 CPU_IDs=0 Mem=0 GRES= \"q'|%\nJobId=99 JobName=y"


@pytest.fixture(scope="module", params=BACKENDS)
def backend(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """One cluster for all tests here."""
    kind, _, rest = str(request.param).partition("-")
    if kind == "fake":
        yield FakeScene(rest)
        return
    with real(tmp_path_factory.mktemp("slurm"), kind, rest) as scene:
        yield scene


@pytest.fixture
def scene(backend: Scene) -> Iterator[Scene]:
    """As it was at first, for each test."""
    backend.clean()
    yield backend


def test_a_node_is_told_as_it_is(scene: Scene) -> None:
    node = scene.client.node("n1")
    assert node.state == {"IDLE"}
    assert (node.name, node.gres) == ("n1", THREE)
    assert node.gres_used in ((), None)
    assert (node.reason, node.reason_user, node.reason_time) == ("", None, None)
    assert node.slurmd_version == str(scene.release)
    assert node.slurmd_start is not None
    assert abs(node.slurmd_start - scene.now()) < 600
    assert (node.cpus, node.features, node.partitions) == (16, (), ("main",))
    assert (node.address, node.host_name) == ("127.0.0.1", "n1")
    assert node.answers
    assert not (node.drains or node.registered_badly or node.is_dynamic)


def test_the_controller_is_told(scene: Scene) -> None:
    assert scene.client.is_up()
    assert scene.client.version() == scene.release >= SlurmVersion(22, 5, 0)
    config = scene.client.config()
    assert config["selecttype"] == "select/cons_tres"
    assert "(null)" not in config.values()
    assert scene.client.about()


def test_nodes_come_in_the_order_that_was_asked(scene: Scene) -> None:
    assert [node.name for node in scene.client.nodes(["n2", "n1"])] == ["n2", "n1"]
    assert [node.name for node in scene.client.nodes(["n2", "n2"])] == ["n2", "n2"]
    assert {node.name for node in scene.client.nodes()} == {"n1", "n2"}
    assert scene.client.nodes([]) == ()


def test_every_question_knows_that_there_is_no_such_node(scene: Scene) -> None:
    client = scene.client
    for ask in (
        lambda: client.node("nope"),
        lambda: client.jobs_on("nope"),
        lambda: client.drain("nope", "why"),
        lambda: client.down("nope", "why"),
        lambda: client.set_reason("nope", "why"),
        lambda: client.resume("nope"),
        lambda: client.delete_node("nope"),
    ):
        with pytest.raises(NoSuchNode):
            ask()


def test_all_nodes_that_are_not_there_are_named(scene: Scene) -> None:
    with pytest.raises(NoSuchNode, match=r"no node x1, x2$"):
        scene.client.nodes(["n1", "x1", "n2", "x2"])


@pytest.mark.parametrize("name", ["n[1-2]", "n1,n2", "ALL", "all", "", "n1 n2", "--help", "n1\n"])
def test_one_node_is_meant_and_no_more(scene: Scene, name: str) -> None:
    with pytest.raises(UsageError):
        scene.client.drain(name, "why")
    assert not any(node.drains for node in scene.client.nodes())


def test_drain_and_resume(scene: Scene) -> None:
    scene.client.drain("n1", "slurm-mig: State=IDLE NodeName=n2, journal 7")
    node = scene.client.node("n1")
    assert node.state == {"IDLE", "DRAIN"}
    assert node.drains
    assert node.reason == "slurm-mig: State=IDLE NodeName=n2, journal 7"
    assert node.reason_user == "root"
    assert node.reason_time is not None
    assert abs(node.reason_time - scene.now()) < 60
    assert not scene.client.node("n2").drains
    scene.client.resume("n1")
    assert state_becomes(scene, "n1", lambda node: node.state == {"IDLE"})


def test_a_drain_overwrites_another_s_reason(scene: Scene) -> None:
    scene.client.drain("n1", "the fan is broken")
    scene.client.drain("n1", "slurm-mig")
    assert scene.client.node("n1").reason == "slurm-mig"


def test_a_reason_can_be_said_anew(scene: Scene) -> None:
    scene.client.drain("n1", "one")
    scene.client.set_reason("n1", "two")
    node = scene.client.node("n1")
    assert node.state == {"IDLE", "DRAIN"}
    assert node.reason == "two"


def test_a_reason_is_one_line_of_text(scene: Scene) -> None:
    scene.client.drain("n1", 'a\nb \t"c" [root@2020-01-01T00:00:00] é; $(id) `id`')
    assert scene.client.node("n1").reason == 'a b "c" [root@2020-01-01T00:00:00] é; $(id) `id`'
    for nothing in ("", " \n", '"'):
        with pytest.raises(UsageError, match="without a reason"):
            scene.client.drain("n2", nothing)
    assert not scene.client.node("n2").drains


def test_a_node_in_service_is_resumed_without_a_word(scene: Scene) -> None:
    """slurmctld refuses that, but also what it has done (test_slurm_restart.py)."""
    scene.client.resume("n1")
    scene.client.drain("n1", "why")
    scene.client.resume("n1")
    assert state_becomes(scene, "n1", lambda node: "DRAIN" not in node.state)
    scene.client.resume("n1")
    assert state_becomes(scene, "n1", lambda node: node.state == {"IDLE"})


def test_a_node_is_taken_down_and_comes_back(scene: Scene) -> None:
    scene.client.down("n1", "why")
    node = scene.client.node("n1")
    assert "DOWN" in node.state
    assert (node.answers, node.reason) == (False, "why")
    scene.client.resume("n1")
    assert state_becomes(scene, "n1", lambda node: node.state == {"IDLE"})


def test_a_reboot_waits_for_the_jobs_and_can_be_taken_back(scene: Scene) -> None:
    scene.submit("n1")
    scene.client.reboot(["n1"], "slurm-mig: [x7] because")
    node = scene.client.node("n1")
    assert node.state >= {"DRAIN", "REBOOT_REQUESTED"}
    assert "REBOOT_ISSUED" not in node.state
    assert node.reason == "slurm-mig: [x7] because"
    assert scene.client.node("n2").state == {"IDLE"}
    scene.client.reboot(["n1"], "another")  # passed over
    assert scene.client.node("n1").reason == "slurm-mig: [x7] because"
    scene.client.cancel_reboot("n1")
    node = scene.client.node("n1")
    assert not node.state & {"DRAIN", "REBOOT_REQUESTED"}
    with pytest.raises(SlurmRefused, match="Invalid node state"):
        scene.client.cancel_reboot("n1")


def test_a_cancelled_reboot_leaves_the_drain_of_before(scene: Scene) -> None:
    scene.submit("n1")
    scene.client.drain("n1", "a fan is loud")
    scene.client.reboot(["n1"], "slurm-mig")
    scene.client.cancel_reboot("n1")
    node = scene.client.node("n1")
    assert node.drains
    assert node.reason == "slurm-mig"  # the former one is lost


def test_an_issued_reboot_is_ended_by_resume_only(scene: Scene) -> None:
    """So that whoever runs as RebootProgram can take the node over, and drain it himself."""
    scene.client.reboot(["n1", "n2"], "slurm-mig: [x7]")
    issued = {"DOWN", "DRAIN", "REBOOT_ISSUED"}
    for name in ("n1", "n2"):
        assert state_becomes(scene, name, lambda node: node.state == issued)
        assert scene.client.node(name).reason.startswith("slurm-mig: [x7]")
    with pytest.raises(SlurmRefused, match="Invalid node state"):
        scene.client.cancel_reboot("n1")
    scene.client.drain("n1", "mine")
    assert "REBOOT_ISSUED" in scene.client.node("n1").state
    scene.client.resume("n1")
    assert not scene.client.node("n1").state & {"DOWN", "DRAIN", "REBOOT_ISSUED"}
    scene.client.drain("n1", "mine")
    assert state_becomes(scene, "n1", lambda node: node.state == {"IDLE", "DRAIN"})
    assert scene.client.node("n1").reason == "mine"


def test_what_cannot_be_rebooted(scene: Scene) -> None:
    with pytest.raises(NoSuchNode):
        scene.client.reboot(["n1", "nope"], "why")
    with pytest.raises(NoSuchNode):
        scene.client.cancel_reboot("nope")
    for names in ((), ("n[1-2]",), ("ALL",)):
        with pytest.raises(UsageError):
            scene.client.reboot(names, "why")
    with pytest.raises(UsageError, match="without a reason"):
        scene.client.reboot(["n1"], " ")
    with pytest.raises(SlurmRefused, match=r"PowerAction|power action"):
        scene.client.reboot(["n1"], "why", action="nope")
    assert {node.name: node.state for node in scene.client.nodes()} == {
        "n1": {"IDLE"},
        "n2": {"IDLE"},
    }


def test_what_a_job_holds_and_what_others_do_not(scene: Scene) -> None:
    scene.submit("n1", "gpu:1g.10gb:2", limit="90")
    scene.submit("n1")
    scene.submit("n2", "gpu:3g.40gb:1")
    two, none = sorted(scene.client.jobs_on("n1"))
    assert two.held == (HeldGres("n1", "gpu", "1g.10gb", 2, (0, 1)),)
    assert two.gres_wanted == (GresCount("gpu", "1g.10gb", 2),)
    assert (two.user, two.name, two.state, two.partition) == ("root", "wrap", "RUNNING", "main")
    assert (two.nodes, two.shown, two.time_limit_s) == (("n1",), str(two.job_id), 5400)
    assert two.end_time is not None
    assert 5300 < two.end_time - scene.now() < 5500
    assert (none.held, none.gres_wanted) == ((), ())
    assert (none.time_limit_s, none.end_time) == (None, None)
    (three,) = scene.client.jobs_on("n2")
    assert three.held == (HeldGres("n2", "gpu", "3g.40gb", 1, (2,)),)


def test_what_is_used_of_a_node(scene: Scene) -> None:
    scene.submit("n1", "gpu:1g.10gb:1")
    scene.submit("n1", "gpu:3g.40gb:1")
    node = scene.client.node("n1")
    assert node.state == {"MIXED"}
    used = (HeldGres("n1", "gpu", "1g.10gb", 1, (0,)), HeldGres("n1", "gpu", "3g.40gb", 1, (2,)))
    assert node.gres_used in (used, None)
    scene.client.drain("n1", "why")
    assert scene.client.node("n1").state == {"MIXED", "DRAIN"}
    assert len(scene.client.jobs_on("n1")) == 2


def test_what_a_job_holds_that_is_cleaned_up_after_is_not_known(scene: Scene) -> None:
    job = scene.submit("n1", "gpu:1g.10gb:2")
    with scene.cleaning_up():
        scene.client.cancel(job)
        assert state_becomes(scene, "n1", lambda _: _states(scene) == {"COMPLETING"})
        (found,) = scene.client.jobs_on("n1")
        assert found.held is None
        assert found.may_hold
        node = scene.client.node("n1")
        assert "COMPLETING" in node.state
        assert node.gres_used in ((), None)  # which is not so
    assert state_becomes(scene, "n1", lambda _: _states(scene) == set())


def _states(scene: Scene) -> set[str]:
    return {job.state for job in scene.client.jobs_on("n1")}


def test_a_hostile_name_changes_nothing(scene: Scene) -> None:
    scene.submit("n1", "gpu:3g.40gb:1", name=HOSTILE)
    scene.submit("n1", "gpu:1g.10gb:1", name="plain")
    hostile, plain = sorted(scene.client.jobs_on("n1"))
    assert (hostile.name, plain.name) == (HOSTILE, "plain")
    assert hostile.held == (HeldGres("n1", "gpu", "3g.40gb", 1, (2,)),)
    assert plain.held == (HeldGres("n1", "gpu", "1g.10gb", 1, (0,)),)


def test_tasks_of_an_array_are_jobs(scene: Scene) -> None:
    scene.array("n1", "gpu:1g.10gb:1")
    zero, one = sorted(scene.client.jobs_on("n1"), key=lambda job: job.shown)
    (two,) = scene.client.pending_jobs()
    array = zero.shown.partition("_")[0]
    assert [job.shown for job in (zero, one)] == [f"{array}_0", f"{array}_1"]
    assert two.shown in (f"{array}_2", f"{array}_[2]", f"{array}_[2%2]")
    assert [job.held and job.held[0].indices for job in (zero, one)] == [(0,), (1,)]
    assert len({job.job_id for job in (zero, one, two)}) == 3


def test_what_waits_and_what_for(scene: Scene) -> None:
    scene.wait("gpu:3g.40gb:1")
    scene.wait("gpu:1g.10gb:2")
    scene.wait("gpu:1")
    scene.wait("")
    scene.submit("n1", "gpu:3g.40gb:1")
    found = scene.client.pending_jobs()
    assert {job.gres_wanted for job in found} == {
        (),
        (GresCount("gpu", "1g.10gb", 2),),
        (GresCount("gpu", "3g.40gb", 1),),
        (GresCount("gpu", None, 1),),
    }
    assert {job.state for job in found} == {"PENDING"}
    assert {(job.nodes, job.held) for job in found} == {((), ())}


def test_a_cancelled_job_goes_and_no_other(scene: Scene) -> None:
    scene.array("n1", "gpu:1g.10gb:1")
    stays, goes = sorted(scene.client.jobs_on("n1"), key=lambda job: job.shown)
    scene.client.cancel(goes)
    assert state_becomes(scene, "n1", lambda _: goes.job_id not in _running(scene))
    scene.client.cancel(goes)  # once more is no error
    assert stays.job_id in _running(scene)


def _running(scene: Scene) -> set[int]:
    return {job.job_id for job in scene.client.jobs_on("n1") if job.state == "RUNNING"}


def test_a_bad_registration_drains_and_cannot_be_resumed(scene: Scene) -> None:
    scene.starve("n1")
    node = scene.client.node("n1")
    assert node.state == {"IDLE", "DRAIN", "INVALID_REG"}
    assert node.registered_badly
    assert node.reason == "gres/gpu count reported lower than configured (2 < 3)"
    with pytest.raises(SlurmRefused, match="Invalid node state"):
        scene.client.resume("n1")
    scene.feed("n1")
    assert scene.client.node("n1").state == {"IDLE", "DRAIN"}
    scene.client.resume("n1")


def test_whose_reason_a_bad_registration_leaves_depends_on_the_release(scene: Scene) -> None:
    scene.client.drain("n1", "slurm-mig: mine")
    scene.starve("n1")
    kept = scene.client.node("n1").reason == "slurm-mig: mine"
    assert kept == (scene.release < SlurmVersion(23, 11, 0))


def test_reading_files_again_changes_gres_from_23_11_on(scene: Scene) -> None:
    scene.client.drain("n1", "why")
    scene.publish("n1", OTHER)
    scene.client.reconfigure()
    new = (GresCount("gpu", "1g.10gb", 4),)
    if scene.release >= SlurmVersion(23, 11, 0):
        assert state_becomes(scene, "n1", lambda node: node.gres == new)
        assert state_becomes(scene, "n1", lambda node: node.state == {"IDLE", "DRAIN"})
    else:
        assert not until(lambda: scene.client.node("n1").gres == new, 1.0)
    assert scene.client.node("n2").gres == THREE


def test_a_dynamic_node_goes_when_no_job_is_on_it(scene: Scene) -> None:
    scene.dynamic("d1", GRES)
    node = scene.client.node("d1")
    assert node.state == {"IDLE", "DYNAMIC_NORM"}
    assert node.gres == THREE
    assert node.is_dynamic
    job = scene.submit("d1", "gpu:3g.40gb:1")
    with pytest.raises(SlurmRefused, match="busy"):
        scene.client.delete_node("d1")
    scene.client.cancel(job)
    assert state_becomes(scene, "d1", lambda _: not scene.client.jobs_on("d1"))
    assert state_becomes(scene, "d1", lambda node: "IDLE" in node.state)
    scene.client.delete_node("d1")
    with pytest.raises(NoSuchNode):
        scene.client.node("d1")
    with pytest.raises(NoSuchNode):
        scene.client.delete_node("d1")


def test_a_node_of_slurm_conf_is_never_deleted(scene: Scene) -> None:
    with pytest.raises(SlurmRefused, match=r"slurm\.conf's"):
        scene.client.delete_node("n1")
    assert scene.client.node("n1").state == {"IDLE"}


def test_a_node_is_made_once(scene: Scene) -> None:
    scene.client.create_node("d2", {"State": "CLOUD"})
    if scene.release >= SlurmVersion(23, 11, 0):  # 22.05 shows it to nobody
        assert scene.client.node("d2").state == {"IDLE", "CLOUD", "DYNAMIC_NORM", "POWERED_DOWN"}
        with pytest.raises(SlurmRefused, match="already exists"):
            scene.client.create_node("d2", {"State": "CLOUD"})
    with pytest.raises(SlurmRefused, match="Only State="):
        scene.client.create_node("d3", {"CPUs": "4"})
    scene.client.delete_node("d2")
    with pytest.raises(NoSuchNode):
        scene.client.node("d2")


KEPT = "slurm-mig_0a1b"


def trial(number: int, gres: str = "gpu:1g.10gb:1") -> Batch:
    """A job of root's for the reservation KEPT of n1."""
    return Batch(f"{KEPT}_{number}", "n1", "main", gres, KEPT, "sleep 300", 2)


def test_a_reservation_keeps_a_node_for_the_jobs_that_name_it(scene: Scene) -> None:
    """Others' jobs that wait for just these slices do not start, were it drained or not."""
    scene.client.drain("n1", "why")
    waiting = scene.want("n1", "gpu:1g.10gb:2")
    scene.client.reserve(KEPT, "n1")
    (found,) = scene.client.reservations()
    assert (found.name, found.nodes, found.active) == (KEPT, ("n1",), True)
    assert found.start is not None
    assert abs(found.start - scene.now()) < 60
    scene.client.resume("n1")
    assert state_becomes(scene, "n1", lambda node: not node.drains and node.answers)
    jobs = [scene.client.submit(trial(number)) for number in range(2)]
    assert state_becomes(scene, "n1", lambda _: set(jobs) <= _running(scene))
    assert {job.name for job in scene.client.jobs_on("n1")} == {f"{KEPT}_0", f"{KEPT}_1"}
    with pytest.raises(SlurmRefused, match="in use"):
        scene.client.release(KEPT)
    for job in scene.client.jobs_on("n1"):
        scene.client.cancel(job)
    assert state_becomes(scene, "n1", lambda _: not scene.client.jobs_on("n1"))
    assert waiting in {job.job_id for job in scene.client.pending_jobs()}
    scene.client.release(KEPT)
    scene.client.release(KEPT)  # once more is no error
    assert scene.client.reservations() == ()


def test_a_reservation_is_made_once_and_others_jobs_run_on(scene: Scene) -> None:
    running = scene.submit("n1", "gpu:1g.10gb:1")
    scene.client.reserve(KEPT, "n1")
    with pytest.raises(SlurmRefused, match="Duplicate"):
        scene.client.reserve(KEPT, "n1")
    assert running.job_id in _running(scene)
    scene.client.release(KEPT)


def test_what_cannot_be_reserved_or_submitted(scene: Scene) -> None:
    with pytest.raises(SlurmRefused, match="reservation is invalid"):
        scene.client.submit(trial(1))
    with pytest.raises(NoSuchNode):
        scene.client.reserve(KEPT, "nope")
    assert scene.client.reservations() == ()
