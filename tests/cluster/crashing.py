"""slurmctld is killed while n1 is reconfigured, and comes back with what it had last saved."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Mapping

from tests.cluster import hooking, site
from tests.cluster import reconfiguring as on
from tests.cluster.cluster import Cluster
from tests.cluster.node import pid_in
from tests.cluster.slurmconf import CONTROLLER


@contextlib.contextmanager
def cautious(cluster: Cluster) -> Iterator[None]:
    """As sites are: a dynamic node waits until slurmctld has saved its drain."""
    config = cluster.node("n1").root / "etc/slurm-mig/config.toml"
    text = config.read_text()
    assert site.AT_ONCE in text
    config.write_text(text.replace(site.AT_ONCE, "register_timeout_s = 16\n"))
    try:
        yield
    finally:
        config.write_text(text)


def wait_until_saved(cluster: Cluster, when: float) -> None:
    """The jobs that ran then: of others it forgets that they run, and ends them, whoever acts."""
    file = cluster.folder / "state/job_state"
    hooking.wait_for(lambda: file.exists() and file.stat().st_mtime > when, "saved jobs", cluster)


def crash(cluster: Cluster, away_s: float = 1.0) -> None:
    """Kill it, and start it so long after."""
    os.kill(pid_in(cluster.folder / "slurmctld.pid"), signal.SIGKILL)
    time.sleep(away_s)
    cluster.exec(CONTROLLER, ["slurmctld"])
    # Watchers' jobs whose end it has forgotten: Slurm itself would notice after minutes.
    running = ["scancel", "--state=RUNNING", "--user=root", "--nodelist=n1"]
    cluster.exec(CONTROLLER, running, check=False)


def must_recover(cluster: Cluster, told: str, wanted: Mapping[str, int]) -> None:
    """By one command, whatever slurmctld has forgotten; and nothing is left."""
    before = cluster.exec(CONTROLLER, ["scontrol", "show", "node", "n1"], check=False).stdout
    done = on.recover(cluster)
    print(told, before, done.stdout, done.stderr, sep="\n")
    assert done.returncode == 0
    on.must_have(cluster, wanted)
    shown = cluster.exec(CONTROLLER, ["scontrol", "show", "reservation"])
    assert "slurm-mig" not in shown.stdout
