"""What people and accidents do: the node is right, or drained with a true reason.

Each on all four ways in `make system`; what gates is 24.11 with a static node, and what another
way does otherwise.
"""

import concurrent.futures
import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

import pytest

from tests.cluster import crashing, hooking
from tests.cluster import reconfiguring as on
from tests.cluster.cluster import Cluster
from tests.cluster.node import environment
from tests.cluster.slurmconf import CONTROLLER

ONE = f"--gres=gpu:{on.TYPE}1g.10gb:1"
STATIC = "24.11, static"


@pytest.fixture(scope="module")
def way(request: pytest.FixtureRequest) -> str:
    """By parameter of each test."""
    return str(request.param)


@pytest.fixture(scope="module")
def cluster(way: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    slurm, dynamic = on.WAYS[way]
    folder = tmp_path_factory.mktemp("faults") / "c"
    with on.up(folder, slurm=slurm, dynamic=dynamic) as made:
        yield made


@pytest.fixture(scope="module")
def bystanders(cluster: Cluster, way: str) -> list[int]:
    """A job with slices of the other node, and one without any on the node itself.

    But for a dynamic node: it has to be empty, and so would be waited for.
    """
    words = [["-w", "n2", "--gres=gpu:nvidia_a100_1g.5gb:2"], ["-w", "n1"]]
    words = words[: 1 if on.WAYS[way].dynamic else 2]
    jobs = [hooking.submit(cluster, *each, "--wrap", "sleep 3600") for each in words]
    for job in jobs:
        hooking.wait_state(cluster, job, "RUNNING")
    crashing.wait_until_saved(cluster, time.time())
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
    """A job that holds a slice of n1 and does not end when it is asked to, until it is let go."""
    stubborn = "trap '' TERM; until [ -e /run/cluster/let-go.$SLURM_JOB_ID ]; do sleep 0.5; done"
    job = hooking.submit(cluster, "-w", "n1", ONE, "--wrap", stubborn)
    try:
        hooking.wait_state(cluster, job, "RUNNING")
        yield job
    finally:
        let_go(cluster, job)


def let_go(cluster: Cluster, job: int) -> None:
    """The holder ends by itself. Killed beside other load, 24.11 may take a minute to end it."""
    (cluster.folder / f"let-go.{job}").touch()


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


HOLD = """\
#!/bin/sh
PATH=${PATH#*:}
case "$*" in *state=drain*)
    touch /run/cluster/slow/held
    while [ -e /run/cluster/slow/hold ]; do sleep 0.05; done;;
esac
exec scontrol "$@"
"""


def starting_by(cluster: Cluster, check: str) -> AbstractContextManager[None]:
    """The site's command that starts slurmd does this first."""
    return with_script(
        cluster, "slurmd-start", lambda text: text.replace("\neval", f"\n{check}\neval")
    )


def stopping_until(cluster: Cluster, gone: str) -> AbstractContextManager[None]:
    """The site's command that stops slurmd does not come back as long as that file is there."""
    wait = f"while [ -e /run/cluster/{gone} ]; do sleep 0.05; done\n"
    (cluster.folder / gone).touch()
    return with_script(cluster, "slurmd-stop", lambda text: text + wait)


@contextlib.contextmanager
def with_script(cluster: Cluster, name: str, change: Callable[[str], str]) -> Iterator[None]:
    script = cluster.folder / "site" / name
    text = script.read_text()
    script.write_text(change(text))
    try:
        yield
    finally:
        script.write_text(text)


def stays_theirs(cluster: Cluster, why: str) -> None:
    """It is drained for that reason; and then they resume it."""
    assert "DRAIN" in on.state(cluster)
    assert reason(cluster) == why
    update(cluster, "state=resume")


CRASHES = ("DRAIN", "STOP")
MORE_CRASHES = ("WAIT", "PARTITION", "PUBLISH", "START", "VERIFY", "SMOKE", "RESUME", "COMMIT")


@pytest.fixture
def cautious(cluster: Cluster) -> Iterator[None]:
    with crashing.cautious(cluster):
        yield


@pytest.mark.parametrize(
    "phase",
    [*CRASHES, *(pytest.param(phase, marks=pytest.mark.system) for phase in MORE_CRASHES)],
)
@on.on_ways(STATIC)
@pytest.mark.usefixtures("cautious")
def test_slurmctld_is_killed_and_starts_again(cluster: Cluster, wish: Wish, phase: str) -> None:
    """It comes back with what it had last saved: without the drain, or without its end.

    Without the drain all goes back; without its end `recover` resumes the node once more.
    """
    more = ["--smoke"] if phase == "SMOKE" else []
    code, told = on.in_phase(cluster, wish.label, phase, lambda _: crashing.crash(cluster), *more)
    crashing.must_recover(cluster, told, wish.after if code == 0 else on.live(cluster))


@on.on_ways(STATIC, "22.05, dynamic")
def test_slurmd_does_not_start_with_the_new_gres_conf(cluster: Cluster, wish: Wish) -> None:
    lines = sum(wish.after.values())
    check = f"[ $(grep -c Name=gpu /etc/slurm/gres.conf) != {lines} ] || exit 1"
    with starting_by(cluster, check):
        done = on.reconfigure(cluster, wish.label)
    assert done.returncode == 1
    assert "not done, and the node is as before" in done.stderr
    on.must_have(cluster, wish.before)


# What is called slurmd, and has ended before slurmctld knows of it.
ENDS_AT_ONCE = """\
[ -e /run/cluster/ended-once ] || {
    touch /run/cluster/ended-once
    cp "$(command -v sleep)" /run/cluster/site/slurmd
    /run/cluster/site/slurmd 0.3 >/dev/null 2>&1 &
    exit 0
}"""


@on.on_ways(STATIC, "22.05, dynamic")
def test_slurmd_ends_when_it_has_only_just_started(cluster: Cluster, wish: Wish) -> None:
    with starting_by(cluster, ENDS_AT_ONCE):
        done = on.reconfigure(cluster, wish.label)
    assert done.returncode == 0, done
    assert "it was started once more" in done.stderr
    on.must_have(cluster, wish.after)


@on.on_ways(STATIC)
def test_slurmd_is_gone_and_does_not_start(cluster: Cluster, wish: Wish) -> None:
    """Neither forward nor back: drained, and the reason is true; then somebody mends it."""
    with starting_by(cluster, "[ ! -e /run/cluster/broken ] || exit 1"):
        (cluster.folder / "broken").touch()
        done = on.reconfigure(cluster, wish.label)
        (cluster.folder / "broken").unlink()
    assert done.returncode == 1, done
    assert "the node stays drained" in done.stderr
    state = on.state(cluster)
    assert state == "DELETED" or "DRAIN" in state
    if state != "DELETED":
        assert reason(cluster).startswith("slurm-mig recover ["), reason(cluster)
    assert on.recover(cluster).returncode == 0
    on.must_have(cluster, wish.before)


@on.on_ways("none")
def test_the_node_cannot_be_reached_after_the_change(cluster: Cluster, wish: Wish) -> None:
    """Its slurmd finds no slurmctld: it is never verified, and so never in service."""
    etc = cluster.node("n1").root / "etc"
    config = etc / "slurm-mig/config.toml"
    text = config.read_text()
    config.write_text(f"{text}register_timeout_s = 3\n")
    wrong = (cluster.conf / "slurm.conf").read_text().replace("SlurmctldPort=6817", "")
    (etc / "slurm/wrong.conf").write_text(f"{wrong}SlurmctldPort=6899\n")
    try:
        with starting_by(cluster, "export SLURM_CONF=/etc/slurm/wrong.conf"):
            done = on.reconfigure(cluster, wish.label)
    finally:
        config.write_text(text)
        (etc / "slurm/wrong.conf").unlink()
    assert done.returncode == 1
    assert "the node stays drained" in done.stderr
    assert "DRAIN" in on.state(cluster) or on.state(cluster) == "DELETED"
    cluster.stop_slurmd("n1")
    assert on.recover(cluster).returncode == 0
    on.must_have(cluster, wish.before)


@on.on_ways(STATIC)
def test_a_job_that_refuses_to_end(cluster: Cluster, wish: Wish, holder: int) -> None:
    done = on.reconfigure(cluster, wish.label, "--timeout", "2")
    assert done.returncode == 1
    assert f"job {holder} of nobody" in done.stderr
    on.must_have(cluster, wish.before)
    assert hooking.job_field(cluster, holder, "JobState") == "RUNNING"


@on.on_ways(STATIC)
def test_a_job_that_starts_just_before_the_drain(cluster: Cluster, wish: Wish) -> None:
    """The drain is held back: a job starts after the plan, before the node is drained."""
    slow = cluster.folder / "slow"
    slow.mkdir(exist_ok=True)
    (slow / "scontrol").write_text(HOLD)
    (slow / "scontrol").chmod(0o755)
    (slow / "hold").touch()
    words = ["sh", "-c", 'PATH=/run/cluster/slow:$PATH exec "$@"', "sh", *on.command(wish.label)]
    with on.started(cluster, words) as process:
        try:
            hooking.wait_for(lambda: (slow / "held").exists(), "a drain that is held", cluster)
            job = hooking.submit(cluster, "-w", "n1", ONE, "--wrap", "sleep 3600")
            hooking.wait_state(cluster, job, "RUNNING")
        finally:
            (slow / "hold").unlink()
        hooking.wait_for(lambda: on.is_in(cluster, "WAIT"), "WAIT", cluster)
        time.sleep(1)
        assert on.is_in(cluster, "WAIT")
        assert hooking.job_field(cluster, job, "JobState") == "RUNNING"
        cluster.exec(CONTROLLER, ["scancel", str(job)])
        told, said = process.communicate(timeout=120)
    (slow / "held").unlink()
    assert process.returncode == 0, told + said
    on.must_have(cluster, wish.after)


@on.on_ways(STATIC)
def test_a_job_is_cancelled_when_its_time_is_up(cluster: Cluster, wish: Wish) -> None:
    job = hooking.submit(cluster, "-w", "n1", ONE, "--wrap", "sleep 3600")
    hooking.wait_state(cluster, job, "RUNNING")
    done = on.reconfigure(cluster, wish.label, "--cancel-after", "1")
    assert done.returncode == 0, done
    assert f"job {job} of nobody was cancelled after 1 s" in done.stderr
    on.must_have(cluster, wish.after)


@on.on_ways(STATIC)
def test_somebody_reconfigures_slurm_all_the_while(cluster: Cluster, wish: Wish) -> None:
    """24.11 replaces each slurmd then, also one that has only just started."""
    over = threading.Event()

    def reconfigure() -> None:
        while not over.wait(0.5):
            cluster.exec(CONTROLLER, ["scontrol", "reconfigure"], check=False)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        pool.submit(reconfigure)
        try:
            done = on.reconfigure(cluster, wish.label)
        finally:
            over.set()
    assert done.returncode == 0, done
    on.must_have(cluster, wish.after)


@on.on_ways(STATIC)
def test_somebody_resumes_it_while_it_waits(cluster: Cluster, wish: Wish, holder: int) -> None:
    code, told = on.in_phase(cluster, wish.label, "WAIT", lambda _: resume(cluster))
    assert code == 1
    assert "somebody has resumed n1" in told
    on.must_have(cluster, wish.before)
    assert hooking.job_field(cluster, holder, "JobState") == "RUNNING"


@on.on_ways(STATIC, "22.05, dynamic")
def test_somebody_resumes_it_while_slurmd_stands_still(cluster: Cluster, wish: Wish) -> None:
    """Jobs that come are given what slurmctld believes in: that is what the node has then."""

    def act(_: object) -> None:
        resume(cluster)
        (cluster.folder / "nobody-came-yet").unlink()

    with stopping_until(cluster, "nobody-came-yet"):
        code, told = on.in_phase(cluster, wish.label, "STOP", act)
    assert code == 1
    assert "resumed n1" in told
    on.must_have(cluster, wish.before)


@on.on_ways(STATIC)
def test_somebody_drains_it_midway(cluster: Cluster, wish: Wish, holder: int) -> None:
    def act(_: object) -> None:
        time.sleep(0.5)
        update(cluster, "state=drain", "reason=a fan is loud")
        let_go(cluster, holder)

    code, told = on.in_phase(cluster, wish.label, "WAIT", act)
    assert code == 0, told
    assert "was drained by somebody else (a fan is loud)" in told
    stays_theirs(cluster, "a fan is loud")
    on.must_have(cluster, wish.after)


@on.on_ways(STATIC)
def test_what_somebody_had_drained_stays_drained(cluster: Cluster, wish: Wish) -> None:
    update(cluster, "state=drain", "reason=a disk is slow")
    done = on.reconfigure(cluster, wish.label)
    assert done.returncode == 0, done
    stays_theirs(cluster, "a disk is slow")
    on.must_have(cluster, wish.after)


@on.on_ways(STATIC)
def test_what_slurm_reads_is_edited_by_hand_meanwhile(
    cluster: Cluster, way: str, wish: Wish, holder: int
) -> None:
    """slurm.conf or, where that says nothing of the node, its gres.conf."""
    file = cluster.conf / "slurm.conf"
    if on.WAYS[way].dynamic:
        file = cluster.node("n1").root / "etc/slurm/gres.conf"

    def edit(_: object) -> None:
        with file.open("a") as text:
            text.write("# by hand\n")
        let_go(cluster, holder)

    code, told = on.in_phase(cluster, wish.label, "WAIT", edit)
    assert code == 1
    assert "changed by hand" in told
    assert "+# by hand" in told
    assert "# by hand\n" in file.read_text()
    on.must_have(cluster, wish.before)


@on.on_ways(STATIC)
def test_back_to_what_was_before_the_last_one(cluster: Cluster, wish: Wish) -> None:
    assert on.reconfigure(cluster, wish.label).returncode == 0
    words = [*on.command(wish.label)[:5], "--rollback"]
    shown = cluster.exec("n1", [*words, "--dry-run"], check=False, timeout_s=120)
    assert "comes  " in shown.stdout, shown
    assert on.live(cluster) != wish.before
    done = cluster.exec("n1", words, check=False, timeout_s=120)
    assert done.returncode == 0, done
    on.must_have(cluster, wish.before)


@on.on_ways(STATIC)
def test_a_dry_run_changes_nothing(cluster: Cluster, wish: Wish, holder: int) -> None:
    done = on.reconfigure(cluster, wish.label, "--dry-run")
    assert done.returncode == 0, done
    assert f"waits for job {holder} of nobody" in done.stdout
    assert "comes  " in done.stdout
    on.must_have(cluster, wish.before)


@on.on_ways(STATIC)
def test_two_at_once(cluster: Cluster, wish: Wish, holder: int) -> None:
    with subprocess.Popen(cluster.command("n1", on.command(wish.label)), env=environment()) as one:
        hooking.wait_for(lambda: on.record(cluster).get("phase") == "WAIT", "WAIT", cluster)
        two = on.reconfigure(cluster, wish.label)
        assert two.returncode == 1
        assert "is under way" in two.stderr or "is not at its end" in two.stderr
        let_go(cluster, holder)
        assert one.wait(60) == 0
    on.must_have(cluster, wish.after)
