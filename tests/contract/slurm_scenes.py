"""Two nodes n1 and n2 with three slices each, behind either backend of the Slurm port."""

import contextlib
import os
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from slurm_mig.errors import SlurmError
from slurm_mig.slurm.controller.cli_client import CliClient
from slurm_mig.slurm.controller.client import Job, NodeState, SlurmClient
from slurm_mig.slurm.controller.patience import Patience
from slurm_mig.slurm.version import SlurmVersion
from tests.cluster.cluster import Cluster
from tests.cluster.conftest import BARE_GRES, CAP, bare, bare_gres, until
from tests.cluster.node import environment, pid_in, start_time
from tests.contract import remote
from tests.fakes_slurm import FakeSlurm, FakeSlurmClient

GRES = BARE_GRES.line
OTHER = "gpu:1g.10gb:4"
_OTHER_CONF = "".join(
    f"Name=gpu Type=1g.10gb MultipleFiles=/dev/nvidia0,{CAP}{cap},{CAP}{cap + 1}\n"
    for cap in (12, 14, 16, 18)
)
_EPILOG = """\
#!/bin/sh
tries=200
while [ -e /run/cluster/slow ] && [ $tries -gt 0 ]; do sleep .1; tries=$((tries - 1)); done
"""
REBOOT = "/bin/true"
COMMANDS = ("scontrol", "squeue", "scancel", "sbatch")


class Scene(Protocol):
    """A cluster whose client is judged, and what happens to it meanwhile."""

    client: SlurmClient
    release: SlurmVersion

    def submit(self, node: str, gres: str = "", *, name: str = "wrap", limit: str = "") -> Job:
        """A job that runs on the node, without end."""

    def wait(self, gres: str) -> None:
        """A job that wants `gres` and is held."""

    def want(self, node: str, gres: str) -> int:
        """A job that wants `gres` of the node, as soon as it may."""

    def array(self, node: str, gres: str) -> None:
        """An array of three, of which two run."""

    def starve(self, node: str) -> None:
        """Its slurmd registers with a slice less than slurm.conf says."""

    def feed(self, node: str) -> None:
        """Its slurmd registers as it should."""

    def publish(self, node: str, gres: str) -> None:
        """slurm.conf and the node's gres.conf get other GRES, unread yet."""

    def dynamic(self, name: str, gres: str) -> None:
        """A node comes by `slurmd -Z`."""

    def cleaning_up(self) -> contextlib.AbstractContextManager[None]:
        """While it lasts no epilog ends."""

    def now(self) -> float:
        """The time that the cluster's clock shows."""

    def clean(self) -> None:
        """As it was at first."""


class FakeScene:
    """FakeSlurm, as a test changes it."""

    def __init__(self, release: str) -> None:
        self.release = SlurmVersion.parse(release)
        self.clean()

    def clean(self) -> None:
        self.cluster = FakeSlurm(self.release)
        self.client: SlurmClient = FakeSlurmClient(self.cluster)
        self.cluster.settings["rebootprogram"] = REBOOT
        for name in ("n1", "n2"):
            self.cluster.add(name, GRES)

    def submit(self, node: str, gres: str = "", *, name: str = "wrap", limit: str = "") -> Job:
        job = self.cluster.submit(gres, node, name=name)
        if limit:
            limit_s = int(limit) * 60
            job = job._replace(time_limit_s=limit_s, end_time=self.now() + limit_s)
            self.cluster.jobs[job.job_id] = job
        return job

    def wait(self, gres: str) -> None:
        self.cluster.queue(gres)

    def want(self, node: str, gres: str) -> int:
        return self.cluster.submit(gres, node).job_id

    def array(self, node: str, gres: str) -> None:
        first = self.cluster.queue(gres).job_id
        jobs = [self.cluster.jobs[first], self.cluster.queue(gres), self.cluster.queue(gres)]
        for task, job in enumerate(jobs):
            self.cluster.jobs[job.job_id] = job._replace(shown=f"{first}_{task}")
        for job in jobs[:2]:
            self.cluster.release_job(job.job_id, node)

    def starve(self, node: str) -> None:
        self.cluster.nodes[node].slurmd_gres = "gpu:1g.10gb:1,gpu:3g.40gb:1"
        self.cluster.start_slurmd(node)

    def feed(self, node: str) -> None:
        self.cluster.nodes[node].slurmd_gres = GRES
        self.cluster.start_slurmd(node)

    def publish(self, node: str, gres: str) -> None:
        self.cluster.publish(node, gres)

    def dynamic(self, name: str, gres: str) -> None:
        self.cluster.add(name, gres, dynamic=True)

    @contextlib.contextmanager
    def cleaning_up(self) -> Iterator[None]:
        self.cluster.epilogs_end = False
        yield
        self.cluster.epilogs_end = True
        for job in list(self.cluster.jobs.values()):
            if job.state == "COMPLETING":
                self.cluster.end(job.job_id)

    def now(self) -> float:
        return self.cluster.clock()


class RealScene:
    """A real slurmctld, and the adapter that `make_client` makes for it."""

    def __init__(self, cluster: Cluster, client: SlurmClient) -> None:
        self.cluster, self.client = cluster, client
        self.release = client.version()
        self._slurm_conf = (cluster.conf / "slurm.conf").read_text()
        self._dynamic: list[str] = []

    def submit(self, node: str, gres: str = "", *, name: str = "wrap", limit: str = "") -> Job:
        words = [f"--nodelist={node}", f"--job-name={name}"]
        words += [f"--time={limit}"] if limit else []
        number = self._sbatch(gres, *words)
        assert until(lambda: number in self._running(node)), self.cluster.logs()
        return self._running(node)[number]

    def wait(self, gres: str) -> None:
        self._sbatch(gres, "--hold")

    def want(self, node: str, gres: str) -> int:
        return self._sbatch(gres, f"--nodelist={node}")

    def array(self, node: str, gres: str) -> None:
        number = self._sbatch(gres, "--array=0-2%2", f"--nodelist={node}")
        shown = {f"{number}_0", f"{number}_1"}
        assert until(lambda: shown <= {job.shown for job in self._running(node).values()})

    def _sbatch(self, gres: str, *words: str) -> int:
        asked = [f"--gres={gres}"] if gres else []
        wrap = ["--output=/dev/null", "--wrap=sleep 300"]
        return int(self._run("sbatch", "--parsable", *words, *asked, *wrap))

    def _running(self, node: str) -> dict[int, Job]:
        return {job.job_id: job for job in self.client.jobs_on(node) if job.state == "RUNNING"}

    def starve(self, node: str) -> None:
        self._restart_slurmd(node, "".join(BARE_GRES.conf.splitlines(keepends=True)[:-1]))
        assert until(lambda: self.client.node(node).registered_badly)

    def feed(self, node: str) -> None:
        self._restart_slurmd(node, BARE_GRES.conf)
        assert until(lambda: not self.client.node(node).registered_badly)

    def publish(self, node: str, gres: str) -> None:
        assert gres == OTHER
        self._gres_conf(node).write_text(_OTHER_CONF)
        lines = self._slurm_conf.splitlines(keepends=True)
        ours = f"NodeName={node} "
        text = [line.replace(GRES, gres) if line.startswith(ours) else line for line in lines]
        (self.cluster.conf / "slurm.conf").write_text("".join(text))

    def dynamic(self, name: str, gres: str) -> None:
        assert gres == GRES
        with (self.cluster.folder / "hosts").open("a") as hosts:
            hosts.write(f"127.0.0.1 {name}\n")
        (self.cluster.folder / "nodes" / name).mkdir(exist_ok=True)
        self._dynamic.append(name)
        # On the machine of n2, whose gres.conf names no node.
        conf = f"CPUs=16 RealMemory=1000 Gres={gres}"
        self.cluster.exec("n2", ["slurmd", "-N", name, "-Z", "--conf", conf])
        assert until(lambda: self._idle(name)), self.cluster.logs()

    def _idle(self, name: str) -> bool:
        return any(node.name == name and "IDLE" in node.state for node in self.client.nodes())

    def _restart_slurmd(self, node: str, gres_conf: str) -> None:
        self._gres_conf(node).write_text(gres_conf)
        self.cluster.stop_slurmd(node)
        self.cluster.start_slurmd(node)

    def _gres_conf(self, node: str) -> Path:
        return self.cluster.node(node).root / "etc/slurm/gres.conf"

    def stop_slurmctld(self) -> None:
        """It is gone when this returns."""
        pid = pid_in(self.cluster.folder / "slurmctld.pid")
        os.kill(pid, signal.SIGTERM)
        assert until(lambda: start_time(pid) is None)

    def start_slurmctld(self) -> None:
        """It may take a moment until it answers."""
        self._run("slurmctld")

    @contextlib.contextmanager
    def cleaning_up(self) -> Iterator[None]:
        flag = self.cluster.folder / "slow"
        flag.touch()
        try:
            yield
        finally:
            flag.unlink()

    @contextlib.contextmanager
    def away(self, seconds: float) -> Iterator[None]:
        """slurmctld is gone, and comes back after that time."""
        self.stop_slurmctld()
        timer = threading.Timer(seconds, self.start_slurmctld)
        timer.start()
        try:
            yield
        finally:
            timer.join()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """slurmctld takes connections and answers none."""
        pid = pid_in(self.cluster.folder / "slurmctld.pid")
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @contextlib.contextmanager
    def frozen_for(self, seconds: float) -> Iterator[None]:
        """As frozen(), but it goes on after that time."""
        with self.frozen():
            pid = pid_in(self.cluster.folder / "slurmctld.pid")
            timer = threading.Timer(seconds, lambda: os.kill(pid, signal.SIGCONT))
            timer.start()
            try:
                yield
            finally:
                timer.join()

    def now(self) -> float:
        return time.time()

    def clean(self) -> None:
        self._run("scancel", "--user=root")
        for kept in self.client.reservations():
            assert until(lambda: not self.client.jobs_on(kept.nodes[0]))  # noqa: B023
            self.client.release(kept.name)
        for name in self._dynamic:
            self._forget(name)
        self._dynamic.clear()
        conf = self.cluster.conf / "slurm.conf"
        published = conf.read_text() != self._slurm_conf
        if published:
            conf.write_text(self._slurm_conf)
            self.stop_slurmctld()
            self.start_slurmctld()
        for node in self.cluster.names:
            if published or self._gres_conf(node).read_text() != BARE_GRES.conf:
                self.feed(node)
            if self.client.node(node).state & {"DRAIN", "DOWN"}:
                with contextlib.suppress(SlurmError):  # DOWN for a moment only
                    self.client.resume(node)
        self.cluster.wait_idle()

    def _forget(self, name: str) -> None:
        pid = pid_in(self.cluster.folder / "nodes" / name / "slurmd.pid")
        os.kill(pid, signal.SIGTERM)
        if name in {node.name for node in self.client.nodes()}:
            assert until(lambda: not self.client.jobs_on(name))
            self.client.delete_node(name)

    def _run(self, *words: str) -> str:
        return self.cluster.exec("ctl", list(words)).stdout.strip()


@contextlib.contextmanager
def real(folder: Path, slurm: str, how: str = "") -> Iterator[RealScene]:
    """A cluster of that release; `how` is "" for what is chosen of its commands' formats, else
    "text" or "pyslurm"."""
    # Jobs start when they are submitted, and not some 3 s after.
    settings = {"MaxNodeCount": "8", "SchedulerParameters": "batch_sched_delay=0"}
    settings |= {"Epilog": "/run/cluster/bin/epilog", "RebootProgram": REBOOT}
    settings["ResumeTimeout"] = "3600"  # it reboots nothing, and slurmctld is to wait for ever
    cluster = Cluster.up(
        folder / "c", ["n1", "n2"], slurm=slurm, settings=settings, make_machine=bare,
        gres=bare_gres,
    )  # fmt: skip
    with cluster as running:
        epilog = running.folder / "bin/epilog"
        epilog.write_text(_EPILOG)
        epilog.chmod(0o755)
        if how == "pyslurm":
            with remote.client(running) as client:
                yield RealScene(running, client)
            return
        path = commands(running, folder / "bin")
        patience = Patience(total_s=60, call_s=20)
        yield RealScene(running, CliClient(patience, path, as_text=how == "text"))


def commands(cluster: Cluster, folder: Path, names: Sequence[str] = COMMANDS) -> str:
    """A PATH on which Slurm's commands are those of the cluster's controller machine."""
    folder.mkdir()
    path = shlex.quote(environment()["PATH"])
    for name in names:
        inside = shlex.join(cluster.command("ctl", [name]))
        (folder / name).write_text(f'#!/bin/sh\nexport PATH={path}\nexec {inside} "$@"\n')
        (folder / name).chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def state_becomes(scene: Scene, name: str, true: Callable[[NodeState], bool]) -> bool:
    """Whether a node's state becomes so within reasonable time."""
    return until(lambda: true(scene.client.node(name)))
