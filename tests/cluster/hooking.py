"""A cluster whose Slurm runs slurm-mig's hooks, and what they leave behind on its nodes."""

import contextlib
import functools
import json
import re
import string
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.cluster import cgroups, site
from tests.cluster.cluster import Cluster
from tests.cluster.conffiles import Files
from tests.cluster.majors import own_majors
from tests.cluster.node import ClusterError, environment
from tests.cluster.simulated import simulate
from tests.cluster.slurmconf import CONTROLLER
from tests.cluster.slurmds import Machine
from tests.sim.api import Sim

HOOKS = "/run/checkout/hooks"
SETTINGS = {
    "Prolog": f"{HOOKS}/prolog",
    "Epilog": f"{HOOKS}/epilog",
    "TaskProlog": f"{HOOKS}/task-prolog",
    "PrologFlags": "Alloc,Contain",
}
USER = 65534  # nobody: the jobs are an ordinary user's
LIMIT_S = 60.0

Record = dict[str, Any]


@contextlib.contextmanager
def up(
    folder: Path,
    nodes: Mapping[str, Sequence[str]] | Sequence[str],
    *,
    slurm: str,
    settings: Mapping[str, str] | None = None,
    config: str = "",
    cpus: int = 16,
    dynamic: str | None = None,
    cgroup: int | None = None,
    files: Files = Files.OWN,
) -> Iterator[Cluster]:
    """A cluster with the hooks on and a gres map on every node; `config` is its config.toml.

    The machines have the cgroups of that Slurm's day, if no others are asked for.
    """
    every = {key: text for key, text in {**SETTINGS, **(settings or {})}.items() if text}
    with (
        own_majors() as majors,
        Cluster.up(
            folder,
            nodes,
            slurm=slurm,
            settings=every,
            cpus=cpus,
            make_machine=functools.partial(_machine, majors),
            dynamic=dynamic,
            cgroup=cgroup or cgroups.of_its_day(slurm),
            files=files,
        ) as made,
    ):
        for name in made.names:
            if config:
                (made.node(name).root / "etc/slurm-mig/config.toml").write_text(config)
            make_map(made, name)
        yield made


def _machine(majors: Sequence[int], folder: Path, gpus: Sequence[str]) -> Machine:
    """A simulated machine whose caps have one of these majors, by its place among n1, n2, ..."""
    sim = simulate(folder, gpus)
    own = majors[int(folder.name.lstrip(string.ascii_letters))]
    devices = sim.root / "proc/devices"
    text = re.sub(r"\n *\d+ nvidia-caps\n", f"\n{own} nvidia-caps\n", devices.read_text())
    devices.chmod(0o644)
    devices.write_text(text)
    devices.chmod(0o444)
    Sim(folder).make_nodes()
    return sim


def make_map(cluster: Cluster, name: str) -> None:
    """`slurm-mig gres-map` on a node, as its slurmd's unit runs it."""
    options = (cluster.node(name).folder / site.OPTIONS).read_text().strip()
    slurm_mig(cluster, name, "gres-map", "--slurmd-options", f"-N {name} {options}")


def slurm_mig(cluster: Cluster, name: str, *words: str) -> str:
    """What slurm-mig prints on a node."""
    return cluster.exec(name, [sys.executable, "-m", "slurm_mig", *words]).stdout


def gres_map(cluster: Cluster, name: str) -> list[dict[str, Any]]:
    """The slices of a node's map, in the order of gres_index."""
    text = (cluster.node(name).root / "run/slurm-mig/gres-map.json").read_text()
    return list(json.loads(text)["gres"])


def records(cluster: Cluster, name: str) -> list[Record]:
    """The closed records of a node, in the order in which they were written."""
    folder = cluster.node(name).root / "var/lib/slurm-mig/usage"
    files = sorted(folder.glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def record_of(cluster: Cluster, name: str, job: int) -> Record:
    """The one record of a job on a node, as soon as it is there."""
    wait_for(lambda: bool(_of(cluster, name, job)), f"a record of job {job} on {name}", cluster)
    found = _of(cluster, name, job)
    assert len(found) == 1, found
    return found[0]


def _of(cluster: Cluster, name: str, job: int) -> list[Record]:
    return [record for record in records(cluster, name) if record["job_id"] == job]


def open_records(cluster: Cluster, name: str) -> list[str]:
    """The names of what is not closed yet on a node."""
    return _names(cluster.node(name).root / "run/slurm-mig/jobs")


def bindings(cluster: Cluster, name: str) -> list[str]:
    """The slices of a node that are said to be held."""
    return _names(cluster.node(name).root / "run/slurm-mig/bindings")


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def log(cluster: Cluster, name: str) -> str:
    """What the hooks logged on a node."""
    file = cluster.node(name).root / "var/log/slurm-mig/hooks.log"
    return file.read_text() if file.exists() else ""


def submit(cluster: Cluster, *words: str) -> int:
    """The id of a job that an ordinary user submitted with these words of sbatch."""
    asked = ["sbatch", "--parsable", "-D", "/", "-o", "/dev/null", *words]
    return int(cluster.exec(CONTROLLER, asked, uid=USER).stdout.partition(";")[0])


def job_field(cluster: Cluster, job: int, field: str) -> str:
    """One field of `scontrol show job`; empty when Slurm has forgotten the job."""
    shown = cluster.exec(CONTROLLER, ["scontrol", "show", "job", "-o", str(job)], check=False)
    return _field(shown.stdout, field)


def node_field(cluster: Cluster, name: str, field: str) -> str:
    """One field of `scontrol show node`, such as State or Reason."""
    return _field(
        cluster.exec(CONTROLLER, ["scontrol", "show", "node", name]).stdout, field
    ).strip()


def _field(text: str, field: str) -> str:
    for line in text.splitlines():
        if field == "Reason" and line.strip().startswith("Reason="):
            return line.strip().removeprefix("Reason=").rpartition(" [")[0]
        for word in line.split():
            if word.startswith(f"{field}="):
                return word.partition("=")[2]
    return ""


def wait_state(cluster: Cluster, job: int, *states: str) -> None:
    """Return when a job is in one of these states."""
    wait_for(
        lambda: job_field(cluster, job, "JobState") in states,
        f"job {job} to be {' or '.join(states)}",
        cluster,
    )


def wait_for(true: Any, what: str, cluster: Cluster, limit_s: float = LIMIT_S) -> None:
    """Return when something is true. Raises ClusterError that says what was waited for."""
    end = time.monotonic() + limit_s
    while not true():
        if time.monotonic() > end:
            hooks = "\n".join(log(cluster, name)[-2000:] for name in cluster.names)
            raise ClusterError(f"no {what} in {limit_s:.0f} s\n{hooks}\n{cluster.logs()}")
        time.sleep(0.05)


def resume(cluster: Cluster, name: str) -> None:
    """Take a node back into service."""
    cluster.exec(CONTROLLER, ["scontrol", "update", f"nodename={name}", "state=resume"])


def logged(cluster: Cluster, name: str, *words: str) -> str:
    """The line of a node's hooks' log that has all of these words, as soon as it is there."""
    found: list[str] = []

    def look() -> bool:
        lines = log(cluster, name).splitlines()
        found[:] = [line for line in lines if all(word in line for word in words)]
        return bool(found)

    wait_for(look, f"line with {' '.join(words)} in the log of {name}", cluster)
    return found[-1]


@contextlib.contextmanager
def holding(cluster: Cluster, name: str, gres_index: int, uid: int) -> Iterator[int]:
    """A process of `uid` that is no job's and holds a slice of a node; its number."""
    path = gres_map(cluster, name)[gres_index]["files"][-1]["path"]
    become = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    words = [*become, "/usr/bin/python3", "-I", "-S", "-c", _HOLD, path]
    command = cluster.command(name, words)
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            yield process.pid
        finally:
            process.kill()


# No driver is there to open it with: O_PATH is as much as a simulated node can give.
_HOLD = """
import os, sys, time
os.open(sys.argv[1], os.O_PATH)
print("held", flush=True)
time.sleep(3600)
"""
