"""Lets a storm rage over a cluster with hooks, and mends what it breaks, until all is calm."""

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster import cgroups, hooking
from tests.cluster.cluster import Cluster
from tests.cluster.node import SCRATCH, ClusterError
from tests.cluster.slurmconf import CONTROLLER

HERE = "/run/checkout/tests/cluster/storm"
NODES = {
    f"n{number}": ["a100-40gb=3g.20gb/4x1g.5gb", "a100-40gb=3g.20gb/3g.20gb"]
    for number in range(1, 5)
}
SETTINGS = {
    "Prolog": f"{HERE}/hook.sh",
    "Epilog": f"{HERE}/hook.sh",
    # Slurm looks for work often, not once in a minute, and writes less.
    "SchedulerParameters": "sched_interval=1,batch_sched_delay=0,bf_interval=1",
    "SlurmdDebug": "verbose",
}
ONE, THREE = "gpu:nvidia_a100_1g.5gb", "gpu:nvidia_a100_3g.20gb"
REQUESTS = (f"{ONE}:1", f"{ONE}:1", f"{ONE}:2", f"{THREE}:1", f"{THREE}:2", f"{ONE}:1,{THREE}:1")
LIMIT_S = 480.0  # half a minute on an idle machine
TICK_S = 0.3


@dataclass(frozen=True, slots=True)
class Probe:
    """What a job saw: the caps it could open, and when, in seconds since boot."""

    job: int
    node: str
    began: float
    ended: float
    caps: frozenset[int]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a hook; `fate` is lives, seen or unseen (storm/hook.sh)."""

    job: int
    node: str
    kind: str
    fate: str


@dataclass(frozen=True, slots=True)
class End:
    """How a job ended: exit code and signal."""

    code: tuple[int | None, int | None]
    cancelled: bool


@dataclass(slots=True)
class Storm:
    """A storm over a cluster: `left` and `staying` are the processes that jobs left or keep."""

    cluster: Cluster
    left: dict[int, int] = field(default_factory=dict)  # job -> pid
    drains: Counter[tuple[str, str]] = field(default_factory=Counter)  # (node, reason)

    @property
    def folder(self) -> Path:
        """Where the jobs and the hooks' wrapper tell what they did."""
        return self.cluster.folder / "storm"

    def prepare(self) -> None:
        """Make the folder: everybody may add to it."""
        self.folder.mkdir()
        self.folder.chmod(0o1777)
        for name in ("probes", "runs", "deaths"):
            (self.folder / name).touch()
            (self.folder / name).chmod(0o666)

    def bystanders(self, number: int) -> dict[int, int]:
        """Start jobs that use a slice all the time: the process of each, by job id."""
        jobs = [self._submit("bystander", f"{ONE}:1", "stays") for _ in range(number)]
        return {job: self._pid("stays", job) for job in jobs}

    def break_out(self, jobs: int, seed: int) -> None:
        """Submit jobs: most end by themselves, some are cancelled, some leave a process."""
        chance = random.Random(seed)
        lines = []
        left = jobs
        while left > 0:
            size = min(left, chance.randint(5, 15))
            kind = chance.choices(("ends", "doomed", "leaves"), (80, 10, 10))[0]
            size = size if kind == "ends" else min(size, 4)
            # Of two types an epilog knows only the one that Slurm tells it.
            request = chance.choice(REQUESTS if kind != "leaves" else REQUESTS[:-1])
            words = f"-J {kind} --gres={request} --array=1-{size} {HERE}/job.sh {kind}"
            lines.append(f"sbatch -D / -o /dev/null {words} || exit")
            left -= size
        self.cluster.exec(CONTROLLER, ["sh", "-c", "\n".join(lines)], uid=hooking.USER)

    def _submit(self, name: str, request: str, kind: str) -> int:
        return hooking.submit(self.cluster, "-J", name, f"--gres={request}", f"{HERE}/job.sh", kind)

    def _pid(self, kind: str, job: int) -> int:
        file = self.folder / f"{kind}.{job}"
        hooking.wait_for(file.exists, f"word of job {job}", self.cluster)
        return int(file.read_text())

    def rage(self) -> None:
        """Mend, cancel and set free until no job but the bystanders is left."""
        end = time.monotonic() + LIMIT_S
        while left := self._tick():
            if time.monotonic() > end:
                some = "\n".join(left[:10])
                raise ClusterError(f"{len(left)} jobs after {LIMIT_S:.0f} s:\n{some}")
            time.sleep(TICK_S)

    def _tick(self) -> list[str]:
        self._set_free()
        self._cancel()
        self._resume()
        asked = ["squeue", "-h", "-r", "-o", "%i %j %T %r"]
        jobs = self.cluster.exec(CONTROLLER, asked).stdout.splitlines()
        # What a failed prolog sent back is held, and then waits until its credential has expired.
        again = [line.split()[0] for line in jobs if line.endswith((" BeginTime", "held"))]
        for job in again:
            ask = f"scontrol release {job}; scontrol update jobid={job} starttime=now"
            self.cluster.exec(CONTROLLER, ["sh", "-c", ask], check=False)
        return [line for line in jobs if " bystander " not in line]

    def _set_free(self) -> None:
        """Take what jobs want to leave behind out of their cgroups: Slurm will not find it."""
        for file in self.folder.glob("leaves.*"):
            job, pid = int(file.suffix[1:]), int(file.read_text())
            if job in self.left:
                continue
            self.left[job] = pid
            node = next(probe.node for probe in self.probes() if probe.job == job)
            self.cluster.exec(node, ["sh", "-c", cgroups.enter_groups(SCRATCH, str(pid))])
            (self.folder / f"left.{job}").touch()

    def _cancel(self) -> None:
        doomed = list(self.folder.glob("doomed.*"))
        if doomed:
            jobs = [file.suffix[1:] for file in doomed]
            self.cluster.exec(CONTROLLER, ["scancel", *jobs], check=False)
        for file in doomed:
            file.unlink()

    def _resume(self) -> None:
        asked = ["sinfo", "-h", "-N", "-t", "drain", "-o", "%N %E"]
        for line in self.cluster.exec(CONTROLLER, asked).stdout.splitlines():
            node, _, reason = line.partition(" ")
            self.drains[node, reason] += 1
            hooking.resume(self.cluster, node)

    def probes(self) -> list[Probe]:
        """What the jobs told."""
        lines = (line.split() for line in (self.folder / "probes").read_text().splitlines())
        return [
            Probe(int(job), node, float(began), float(ended), frozenset(map(int, caps)))
            for job, node, began, ended, *caps in lines
        ]

    def runs(self) -> list[Run]:
        """What hooks were started, in order."""
        lines = (line.split() for line in (self.folder / "runs").read_text().splitlines())
        return [Run(int(job), node, kind, fate) for job, node, kind, fate in lines]

    def killed(self) -> list[Run]:
        """The hooks that were killed before their end; `fate` is seen or unseen."""
        lines = (line.split() for line in (self.folder / "deaths").read_text().splitlines())
        dead = {(int(job), node, kind) for job, node, kind, code in lines if code == "137"}
        return [
            run
            for run in self.runs()
            if run.fate != "lives" and (run.job, run.node, run.kind) in dead
        ]

    def settle(self) -> None:
        """When all jobs are gone: a job on every slice of every node, and the maps made anew.

        What killed hooks left open is found by the next hook on its slice.
        """
        (self.folder / "calm").touch()
        self.cluster.wait_idle(LIMIT_S)
        for name in self.cluster.names:
            for kind, number in ((ONE, 4), (THREE, 3)):
                words = ["-w", name, "--chdir=/", f"--gres={kind}:{number}", "true"]
                self.cluster.srun(*words, uid=hooking.USER)
        self.cluster.wait_idle(LIMIT_S)
        for name in self.cluster.names:
            hooking.make_map(self.cluster, name)

    def ends(self) -> dict[int, End]:
        """How every job ended, as slurmctld knows it."""
        shown = self.cluster.exec(CONTROLLER, ["scontrol", "show", "job", "-o"]).stdout
        ends = {}
        for line in shown.splitlines():
            fields = dict(word.partition("=")[::2] for word in line.split() if "=" in word)
            code, _, signal = fields["ExitCode"].partition(":")
            cancelled = fields["JobState"] == "CANCELLED"
            ends[int(fields["JobId"])] = End((int(code), int(signal)), cancelled)
        return ends
