"""Nodes that are reached by ssh as it is: root's own keys, the usual port, nothing configured."""

import signal
import time
from collections.abc import Iterator

import pytest

from tests.cluster import fleets, hooking, site
from tests.cluster import reconfiguring as on
from tests.cluster.cluster import Cluster
from tests.cluster.sshds import Sshds

pytestmark = pytest.mark.system
BOTH = ("n1", "n2")


@pytest.fixture(scope="module")
def sshds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshds]:
    folder = tmp_path_factory.mktemp("ssh") / "c"
    with fleets.up(folder, 2, slurm="24.11", config=site.CONFIG) as cluster:
        yield Sshds(cluster)


@pytest.fixture
def cluster(sshds: Sshds) -> Cluster:
    return sshds.cluster


def other(cluster: Cluster) -> str:
    """The layout that n1 does not have."""
    return "mixed" if fleets.live(cluster, "n1") == on.SEVEN else "seven"


def wish(label: str) -> list[str]:
    return fleets.wish("n[1-2]", label, "--max-unavailable", "2")


def must_be_left_alone(cluster: Cluster, label: str, *why: str) -> None:
    """n1 gets it; of n2 it is said why not, and n2 is as it was. Then it goes on."""
    before = fleets.live(cluster, "n2")
    done = fleets.run(cluster, wish(label))
    assert done.returncode == 1, done
    for words in ("n2: not reached; nothing was changed there", "--resume` on ctl", *why):
        assert words in done.stderr, done.stderr
    assert "(`ssh -oBatchMode=yes n2 true` must work here)" in done.stderr
    fleets.must_have(cluster, ("n1",), fleets.LAYOUTS[label])
    fleets.must_have(cluster, ("n2",), before)


def must_go_on(cluster: Cluster, label: str) -> None:
    done = fleets.run(cluster, fleets.command("--resume"))
    assert done.returncode == 0, done
    fleets.must_have(cluster, BOTH, fleets.LAYOUTS[label])


def test_with_nothing_configured(cluster: Cluster) -> None:
    label = other(cluster)
    done = fleets.run(cluster, wish(label))
    assert done.returncode == 0, done
    fleets.must_have(cluster, BOTH, fleets.LAYOUTS[label])


def test_one_whose_sshd_is_gone(sshds: Sshds, cluster: Cluster) -> None:
    label = other(cluster)
    sshds.end("n2")
    try:
        must_be_left_alone(cluster, label, "Connection refused")
    finally:
        sshds.start("n2")
    must_go_on(cluster, label)


def test_one_whose_sshd_hangs(sshds: Sshds, cluster: Cluster) -> None:
    label = other(cluster)
    sshds.signal("n2", signal.SIGSTOP)
    try:
        must_be_left_alone(cluster, label, "Connection timed out")
    finally:
        sshds.signal("n2", signal.SIGCONT)
    must_go_on(cluster, label)


def test_one_that_asks_for_a_password(sshds: Sshds, cluster: Cluster) -> None:
    """Nobody is asked, on a terminal neither."""
    label = other(cluster)
    sshds.let_in("n2", allowed=False)
    must_be_left_alone(cluster, label, "Permission denied (publickey,password")
    sshds.let_in("n2")
    must_go_on(cluster, label)


def test_one_whose_key_is_not_known(sshds: Sshds, cluster: Cluster) -> None:
    label = other(cluster)
    sshds.know("n2", known=False)
    must_be_left_alone(cluster, label, "Host key verification failed")
    sshds.know("n2")
    must_go_on(cluster, label)


def test_one_with_another_key_than_is_known(sshds: Sshds, cluster: Cluster) -> None:
    """ssh's own advice is told: which line of which file to remove."""
    label = other(cluster)
    known = sshds.home("ctl") / "known_hosts"
    text = known.read_text()
    keys = [line.partition(" ")[2] for line in text.splitlines()]
    known.write_text(f"n1 {keys[0]}\nn2 {keys[0]}\n")
    must_be_left_alone(cluster, label, "known_hosts:2", "Host key verification failed")
    known.write_text(text)
    must_go_on(cluster, label)


def test_a_site_s_own_options(sshds: Sshds, cluster: Cluster) -> None:
    """`remote_command` with a file of ssh's, as docs/reconfigure.md has it."""
    label = other(cluster)
    etc = cluster.node("ctl").root / "etc/slurm-mig"
    (etc / "ssh").write_text("Host n*\n  User root\n  LogLevel ERROR\n  BatchMode yes\n")
    config = etc / "config.toml"
    text = config.read_text()
    command = 'remote_command = ["ssh", "-F", "/etc/slurm-mig/ssh", "{node}"]'
    config.write_text(f"{text}{command}\n")
    try:
        done = fleets.run(cluster, wish(label))
        assert done.returncode == 0, done
        fleets.must_have(cluster, BOTH, fleets.LAYOUTS[label])
    finally:
        config.write_text(text)


def test_one_that_has_no_slurm_mig(sshds: Sshds, cluster: Cluster) -> None:
    """ssh gives it a PATH; it may lie elsewhere."""
    label, before = other(cluster), fleets.live(cluster, "n1")
    config = cluster.node("ctl").root / "etc/slurm-mig/config.toml"
    text = config.read_text()
    config.write_text(f'{text}remote_slurm_mig = ["slurm-mug"]\n')
    try:
        done = fleets.run(cluster, wish(label))
    finally:
        config.write_text(text)
    assert done.returncode == 1, done
    assert "slurm-mug: not found (remote_slurm_mig in [reconfigure]" in done.stderr
    fleets.must_have(cluster, BOTH, before)
    must_go_on(cluster, label)


def test_a_connection_that_breaks(sshds: Sshds, cluster: Cluster) -> None:
    """What was ordered goes on there; the same order, given again, waits for its end."""
    label = other(cluster)
    job = hooking.submit(cluster, "-w", "n2", "--gres=gpu:1", "--wrap", "sleep 3600")
    hooking.wait_state(cluster, job, "RUNNING")
    with fleets.started(cluster, wish(label)) as run:
        record = cluster.node("n2").root / "var/lib/slurm-mig/reconfigure.json"
        hooking.wait_for(
            lambda: record.exists() and '"WAIT"' in record.read_text(), "WAIT", cluster
        )
        assert sshds.cut("n2") == 1
        hooking.wait_for(lambda: sshds.sessions("n2"), "another connection", cluster)
        time.sleep(1)
        cluster.exec("ctl", ["scancel", str(job)])
        said = run.communicate(timeout=120)
    assert run.returncode == 0, said
    fleets.must_have(cluster, BOTH, fleets.LAYOUTS[label])
