"""What people and accidents do: the node is right, or drained with a true reason."""

import subprocess
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.cluster import hooking
from tests.cluster import reconfiguring as on
from tests.cluster.cluster import Cluster
from tests.cluster.node import environment
from tests.cluster.slurmconf import CONTROLLER

ONE = f"--gres=gpu:{on.TYPE}1g.10gb:1"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("faults") / "c"
    with on.up(folder, slurm="24.11", dynamic=False) as made:
        yield made


@pytest.fixture(scope="module")
def bystanders(cluster: Cluster) -> list[int]:
    """A job with slices of the other node, and one without any on the node itself."""
    words = [["-w", "n2", "--gres=gpu:nvidia_a100_1g.5gb:2"], ["-w", "n1"]]
    jobs = [hooking.submit(cluster, *each, "--wrap", "sleep 3600") for each in words]
    for job in jobs:
        hooking.wait_state(cluster, job, "RUNNING")
    # A slurmctld that is killed forgets what it has not saved, and so ends jobs, whoever acts.
    file, now = cluster.folder / "state/job_state", time.time()
    hooking.wait_for(lambda: file.exists() and file.stat().st_mtime > now, "saved jobs", cluster)
    return jobs


@pytest.fixture(autouse=True)
def sound(cluster: Cluster, bystanders: list[int]) -> Iterator[None]:
    """Jobs watch; nobody is disturbed; n1 is in service at the end."""
    with on.Watchers(cluster) as watchers:
        yield
    on.must_match(watchers.finish())
    for job in bystanders:
        assert hooking.job_field(cluster, job, "JobState") == "RUNNING"
        assert hooking.job_field(cluster, job, "Restarts") == "0"
    on.must_have(cluster, on.live(cluster))


class Wish(NamedTuple):
    """From the layout that n1 has to the other one."""

    label: str
    before: dict[str, int]
    after: dict[str, int]


@pytest.fixture
def wish(cluster: Cluster) -> Wish:
    if on.live(cluster) == on.SEVEN:
        return Wish("mixed", on.SEVEN, on.MIXED)
    return Wish("seven", on.MIXED, on.SEVEN)


@pytest.fixture
def holder(cluster: Cluster) -> Iterator[int]:
    """A job that holds a slice of n1 and does not end by itself, nor when it is asked to."""
    stubborn = "trap '' TERM; while :; do sleep 1; done"
    job = hooking.submit(cluster, "-w", "n1", ONE, "--wrap", stubborn)
    hooking.wait_state(cluster, job, "RUNNING")
    yield job
    cluster.exec(CONTROLLER, ["scancel", "--signal=KILL", "--full", str(job)], check=False)
    cluster.exec(CONTROLLER, ["scancel", str(job)], check=False)


def scontrol(cluster: Cluster, *words: str) -> None:
    """Somebody acts by hand."""
    cluster.exec(CONTROLLER, ["scontrol", *words])


def update(cluster: Cluster, *pairs: str) -> None:
    scontrol(cluster, "update", "nodename=n1", *pairs)


def resume(cluster: Cluster) -> None:
    """Not at the very beginning of a phase."""
    time.sleep(0.3)
    update(cluster, "state=resume")


def reason(cluster: Cluster) -> str:
    return hooking.node_field(cluster, "n1", "Reason")


@pytest.mark.parametrize("phase", ["DRAIN", "WAIT", "PUBLISH", "VERIFY"])
def test_slurmctld_is_killed_and_starts_again(cluster: Cluster, wish: Wish, phase: str) -> None:
    """A drain that slurmctld had not saved yet is lost with it: then all goes back."""

    def crash(_: object) -> None:
        pid = (cluster.folder / "slurmctld.pid").read_text().strip()
        subprocess.run(["kill", "-9", pid], check=True)
        time.sleep(1)
        cluster.exec(CONTROLLER, ["slurmctld"])

    code, told = on.in_phase(cluster, wish.label, phase, crash)
    if code != 0 and on.record(cluster):
        assert on.recover(cluster).returncode == 0, told
    on.must_have(cluster, wish.after if code == 0 else on.live(cluster))


def test_slurmd_does_not_start_with_the_new_gres_conf(cluster: Cluster, wish: Wish) -> None:
    script = cluster.folder / "site/slurmd-start"
    text = script.read_text()
    lines = sum(wish.after.values())
    check = f"[ $(grep -c Name=gpu /etc/slurm/gres.conf) != {lines} ] || exit 1"
    script.write_text(text.replace("\neval", f"\n{check}\neval"))
    try:
        done = on.reconfigure(cluster, wish.label)
    finally:
        script.write_text(text)
    assert done.returncode == 1
    assert "not done, and the node is as before" in done.stderr
    on.must_have(cluster, wish.before)


def test_a_job_that_refuses_to_end(cluster: Cluster, wish: Wish, holder: int) -> None:
    done = on.reconfigure(cluster, wish.label, "--timeout", "2")
    assert done.returncode == 1
    assert f"job {holder} of nobody" in done.stderr
    on.must_have(cluster, wish.before)
    assert hooking.job_field(cluster, holder, "JobState") == "RUNNING"


def test_a_job_is_cancelled_when_its_time_is_up(cluster: Cluster, wish: Wish, holder: int) -> None:
    done = on.reconfigure(cluster, wish.label, "--cancel-after", "1")
    assert done.returncode == 0, done
    assert f"job {holder} of nobody was cancelled after 1 s" in done.stderr
    on.must_have(cluster, wish.after)


def test_somebody_resumes_it_while_it_waits(cluster: Cluster, wish: Wish, holder: int) -> None:
    code, told = on.in_phase(cluster, wish.label, "WAIT", lambda _: resume(cluster))
    assert code == 1
    assert "somebody has resumed n1" in told
    on.must_have(cluster, wish.before)
    assert hooking.job_field(cluster, holder, "JobState") == "RUNNING"


def test_somebody_resumes_it_while_slurmd_stands_still(cluster: Cluster, wish: Wish) -> None:
    """Jobs that come are given what slurmctld believes in: that is what the node has then."""
    code, told = on.in_phase(cluster, wish.label, "STOP", lambda _: resume(cluster))
    assert code == 1
    assert "resumed n1" in told
    on.must_have(cluster, wish.before)


def test_somebody_drains_it_midway(cluster: Cluster, wish: Wish, holder: int) -> None:
    def act(_: object) -> None:
        time.sleep(0.5)
        update(cluster, "state=drain", "reason=a fan is loud")
        cluster.exec(CONTROLLER, ["scancel", str(holder)])

    code, told = on.in_phase(cluster, wish.label, "WAIT", act)
    assert code == 0, told
    assert "was drained by somebody else (a fan is loud)" in told
    assert "DRAIN" in on.state(cluster)
    assert reason(cluster) == "a fan is loud"
    update(cluster, "state=resume")
    on.must_have(cluster, wish.after)


def test_what_somebody_had_drained_stays_drained(cluster: Cluster, wish: Wish) -> None:
    update(cluster, "state=drain", "reason=a disk is slow")
    done = on.reconfigure(cluster, wish.label)
    assert done.returncode == 0, done
    assert "DRAIN" in on.state(cluster)
    assert reason(cluster) == "a disk is slow"
    update(cluster, "state=resume")
    on.must_have(cluster, wish.after)


def test_slurm_conf_is_edited_by_hand_meanwhile(cluster: Cluster, wish: Wish, holder: int) -> None:
    conf = cluster.conf / "slurm.conf"

    def edit(_: object) -> None:
        with conf.open("a") as file:
            file.write("# by hand\n")
        cluster.exec(CONTROLLER, ["scancel", str(holder)])

    code, told = on.in_phase(cluster, wish.label, "WAIT", edit)
    assert code == 1
    assert "changed by hand" in told
    assert "+# by hand" in told
    assert "# by hand\n" in conf.read_text()
    on.must_have(cluster, wish.before)


def test_back_to_what_was_before_the_last_one(cluster: Cluster, wish: Wish) -> None:
    assert on.reconfigure(cluster, wish.label).returncode == 0
    words = [*on.command(wish.label)[:5], "--rollback"]
    done = cluster.exec("n1", words, check=False, timeout_s=120)
    assert done.returncode == 0, done
    on.must_have(cluster, wish.before)


def test_a_dry_run_changes_nothing(cluster: Cluster, wish: Wish, holder: int) -> None:
    done = on.reconfigure(cluster, wish.label, "--dry-run")
    assert done.returncode == 0, done
    assert f"waits for job {holder} of nobody" in done.stdout
    assert "comes  " in done.stdout
    on.must_have(cluster, wish.before)


def test_two_at_once(cluster: Cluster, wish: Wish, holder: int) -> None:
    with subprocess.Popen(cluster.command("n1", on.command(wish.label)), env=environment()) as one:
        hooking.wait_for(lambda: on.record(cluster).get("phase") == "WAIT", "WAIT", cluster)
        two = on.reconfigure(cluster, wish.label)
        assert two.returncode == 1
        assert "is under way" in two.stderr or "is not at its end" in two.stderr
        cluster.exec(CONTROLLER, ["scancel", str(holder)])
        assert one.wait(60) == 0
    on.must_have(cluster, wish.after)
