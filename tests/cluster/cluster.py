"""A real slurmctld and one slurmd for each simulated node, on this machine."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.cluster import bring_up, cgroups, conffiles, guard, reap, simulated, site
from tests.cluster.bring_up import Options
from tests.cluster.conffiles import Files, GresOf
from tests.cluster.machines import STATE, Machines
from tests.cluster.node import ClusterError, pid_in, start_time
from tests.cluster.slurmconf import CONTROLLER

IDLE_LIMIT_S = 30.0


class Cluster(Machines):
    """A cluster in a folder. Every method may raise ClusterError."""

    @classmethod
    def start(cls, folder: Path, nodes: Mapping[str, Sequence[str]], options: Options) -> "Cluster":
        """Bring a cluster up; whatever goes wrong, nothing of it stays."""
        folder = folder.absolute()
        if folder.exists() and any(folder.iterdir()):
            raise ClusterError(f"{folder} is not empty: `down` it first, or name another")
        try:
            machines = bring_up.start(folder, nodes, options)
            cluster = cls(machines.folder, machines.slurm, machines.names, machines.holders)
            cluster.wait_idle()
        except BaseException:
            down(folder)
            raise
        return cluster

    @classmethod
    @contextlib.contextmanager
    def up(
        cls,
        folder: Path,
        nodes: Mapping[str, Sequence[str]] | Sequence[str],
        *,
        slurm: str = "22.05",
        cpus: int = 16,
        settings: Mapping[str, str] | None = None,
        gres: GresOf = conffiles.ask_slurm_mig,
        make_machine: simulated.MakeMachine = simulated.simulate,
        accounting: bool = False,
        dynamic: str | None = None,
        cgroup: int = cgroups.V1,
        files: Files = Files.OWN,
    ) -> Iterator["Cluster"]:
        """A cluster for as long as the block runs, gone even if this process is killed in it.

        `nodes` are names and their GPUs (`h100-80gb`, `h100-80gb=off`, `a100-40gb=LAYOUT`), or
        words such as `n1:h100-80gb,l40s`; `settings` are further lines of slurm.conf.
        `gres`, if given, is asked for a node's GRES instead of slurm-mig. `dynamic` names the
        node that is in no slurm.conf, `files` says where Slurm's files lie.
        """
        options = Options(
            slurm, cpus, settings or {}, gres, make_machine, accounting, dynamic, cgroup, files
        )
        with guard.watch(folder):
            cluster = cls.start(folder, simulated.parse_nodes(nodes), options)
            try:
                yield cluster
            finally:
                down(folder)

    def srun(self, *words: str, timeout_s: float = 60, uid: int | None = None) -> str:
        """What a job printed that root, or the user `uid`, ran from the controller's machine."""
        return self.exec(CONTROLLER, ["srun", *words], timeout_s=timeout_s, uid=uid).stdout

    def states(self) -> dict[str, str]:
        """The state of every node, as sinfo names it; empty while slurmctld does not answer."""
        asked = self.exec(CONTROLLER, ["sinfo", "-h", "-N", "-o", "%N %T"], check=False)
        return dict(line.split()[:2] for line in asked.stdout.splitlines() if " " in line)

    def wait_idle(self, limit_s: float = IDLE_LIMIT_S) -> None:
        """Return when every node is idle and no job is left."""
        end = time.monotonic() + limit_s
        while (states := self.states()) != dict.fromkeys(self.names, "idle"):
            if time.monotonic() > end:
                found = states or "no answer"
                raise ClusterError(f"not idle after {limit_s:.0f} s: {found}\n{self.logs()}")
            time.sleep(0.05)

    def start_slurmd(self, name: str) -> None:
        """Start the slurmd of a node."""
        self.exec(name, [site.SLURMD_START])

    def stop_slurmd(self, name: str) -> None:
        """Stop the slurmd of a node; its jobs go on."""
        pid = pid_in(self.node(name).folder / "slurmd.pid")
        os.kill(pid, signal.SIGTERM)
        _wait_gone(pid)

    def logs(self, lines: int = 15) -> str:
        """The last words of every daemon."""
        files = sorted((self.folder / "log").glob("*.log"))
        return "\n".join(
            f"== {file.name}\n" + "\n".join(file.read_text().splitlines()[-lines:])
            for file in files
        )


def down(folder: Path) -> None:
    """Stop all that runs of the cluster in a folder, whatever state it is in, and remove it.

    Raises ClusterError if the folder is no cluster's, or a process would not go.
    """
    folder = folder.absolute()
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / STATE).exists():
        raise ClusterError(f"{folder} holds no cluster: nothing was touched")
    reaper = [sys.executable, "-I", "-S", reap.__file__, bring_up.group_of(folder)]
    done = subprocess.run(reaper, capture_output=True, text=True)
    if done.returncode != 0:
        raise ClusterError(f"{folder} did not go down: {done.stderr.strip()}")
    shutil.rmtree(folder)


def _wait_gone(pid: int, limit_s: float = 10.0) -> None:
    end = time.monotonic() + limit_s
    while start_time(pid) is not None:
        if time.monotonic() > end:
            raise ClusterError(f"process {pid} did not stop in {limit_s:.0f} s")
        time.sleep(0.01)
