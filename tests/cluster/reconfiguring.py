"""A cluster whose node n1 is reconfigured, and the jobs that watch it while that goes on."""

import contextlib
import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cluster import hooking, reach, site
from tests.cluster.cluster import Cluster
from tests.cluster.node import environment
from tests.cluster.slurmconf import CONTROLLER

NODES = {"n1": ["h100-80gb=7x1g.10gb"], "n2": ["a100-40gb=3g.20gb/4x1g.5gb"]}
TYPE = "nvidia_h100_80gb_hbm3_"
SEVEN = {"1g.10gb": 7}
MIXED = {"3g.40gb": 1, "2g.20gb": 1, "1g.10gb": 2}
LAYOUTS = {"seven": SEVEN, "mixed": MIXED}
YAML = """\
version: v1
mig-configs:
  mixed:
    - devices: all
      mig-enabled: true
      mig-devices: {3g.40gb: 1, 2g.20gb: 1, 1g.10gb: 2}
  seven:
    - devices: all
      mig-enabled: true
      mig-devices: {1g.10gb: 7}
"""
FILE = "/run/cluster/mig.yaml"


class Way(NamedTuple):
    """How Slurm is told: by its release, and the kind of the node."""

    slurm: str
    dynamic: bool


WAYS = {
    "24.11, static": Way("24.11", False),
    "24.11, dynamic": Way("24.11", True),
    "22.05, static": Way("22.05", False),
    "22.05, dynamic": Way("22.05", True),
    "26.05, static": Way("26.05", False),
    "26.05, dynamic": Way("26.05", True),
}


def on_ways(*gating: str) -> pytest.MarkDecorator:
    """On all of them; those that are not named, in `make system` only."""
    params = [pytest.param(way, marks=[] if way in gating else pytest.mark.system) for way in WAYS]
    return pytest.mark.parametrize("way", params, indirect=True, scope="module")


Process = subprocess.Popen[str]
_RECORD = "var/lib/slurm-mig/reconfigure.json"


@contextlib.contextmanager
def up(folder: Path, *, slurm: str, dynamic: bool) -> Iterator[Cluster]:
    """A cluster with the hooks on; n1 has seven slices."""
    config = site.CONFIG
    if dynamic:
        start = f'"{site.SLURMD_START}"'
        config = config.replace(f"[{start}]", f'[{start}, "{{conf}}"]')
    name = "n1" if dynamic else None
    # Jobs start when they are submitted, and not some 3 s after; stubborn ones are killed soon.
    at_once = {"SchedulerParameters": "batch_sched_delay=0", "KillWait": "1"}
    with hooking.up(
        folder, NODES, slurm=slurm, config=config, dynamic=name, settings=at_once
    ) as cluster:
        (cluster.folder / "mig.yaml").write_text(YAML)
        yield cluster


def command(label: str, *more: str) -> list[str]:
    """The words that reconfigure n1."""
    tool = [sys.executable, "-m", "slurm_mig", "reconfigure", "n1"]
    return [*tool, "-f", FILE, "-c", label, *more]


def reconfigure(cluster: Cluster, label: str, *more: str) -> "subprocess.CompletedProcess[str]":
    """Do it, to its end, whatever that is."""
    return cluster.exec("n1", command(label, *more), check=False, timeout_s=180)


RECOVER = [sys.executable, "-m", "slurm_mig", "recover"]


def recover(cluster: Cluster, *more: str) -> "subprocess.CompletedProcess[str]":
    """`slurm-mig recover` on n1."""
    return cluster.exec("n1", [*RECOVER, *more], check=False, timeout_s=180)


def record(cluster: Cluster) -> dict[str, Any]:
    """What is on the disk of a reconfigure that is not at its end; empty where none is."""
    try:
        found: dict[str, Any] = json.loads((cluster.node("n1").root / _RECORD).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found


def is_in(cluster: Cluster, phase: str) -> bool:
    """Whether that phase is under way on n1."""
    found = record(cluster)
    return found.get("phase") == phase and not found["ended"]


def started(cluster: Cluster, words: Sequence[str]) -> Process:
    """A program on n1, whose words are kept."""
    return subprocess.Popen(
        cluster.command("n1", words),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def in_phase(
    cluster: Cluster, label: str, phase: str, act: Callable[[Process], object], *more: str
) -> tuple[int, str]:
    """Start it, `act` as soon as it is in that phase; its exit code and what it said."""
    with started(cluster, command(label, *more)) as process:
        while process.poll() is None:
            if is_in(cluster, phase):
                act(process)
                break
            time.sleep(0.0005)
        told, said = process.communicate(timeout=180)
    return process.returncode, told + said


def kill_in(cluster: Cluster, label: str, phase: str) -> None:
    """SIGKILL it in that phase."""
    in_phase(cluster, label, phase, lambda process: process.kill())


IN_SERVICE = ("DRAIN", "RESUME", "COMMIT")  # killed in these, the node may be


def kill_in_each(cluster: Cluster, label: str, phases: Sequence[str]) -> None:
    """SIGKILL it in the first of these phases, a recover in the next, and so on."""
    words = command(label)
    for phase in phases:
        with started(cluster, words) as process:
            while process.poll() is None and not is_in(cluster, phase):
                time.sleep(0.0005)
            process.kill()
            process.communicate(timeout=60)
        kept = state(cluster)
        assert "DRAIN" in kept or kept == "DELETED" or phase in IN_SERVICE, (phase, kept)
        words = RECOVER


def act_in_each(
    cluster: Cluster, label: str, phases: Sequence[str], act: Callable[[], object]
) -> tuple[int, str]:
    """Start it, and `act` as soon as it is in each of these phases: as in_phase().

    The last one may be over too soon for that: then when it has ended.
    """
    left = list(phases)
    with started(cluster, command(label)) as process:
        while process.poll() is None:
            phase = record(cluster).get("phase")
            if phase in left and is_in(cluster, phase):
                left.remove(phase)
                act()
            time.sleep(0.0005)
        told, said = process.communicate(timeout=180)
    if phases[-1] in left:
        act()
    return process.returncode, told + said


def smoked(cluster: Cluster) -> bool:
    """Whether a test job has told something."""
    return bool(list((cluster.node("n1").root / "run/slurm-mig").glob("smoke-*/*.said")))


def live(cluster: Cluster) -> dict[str, int]:
    """The slices of n1, by profile."""
    found = json.loads(hooking.slurm_mig(cluster, "n1", "discover", "--json"))
    profiles = [device["profile"] for gpu in found["gpus"] for device in gpu["mig_devices"]]
    return {profile: profiles.count(profile) for profile in profiles}


def state(cluster: Cluster) -> str:
    """The state of n1, as slurmctld has it; DELETED while it is (a dynamic one)."""
    shown = cluster.exec(CONTROLLER, ["scontrol", "show", "node", "-o", "n1"], check=False).stdout
    return next((one[6:] for one in shown.split() if one.startswith("State=")), "DELETED")


def must_have(cluster: Cluster, layout: Mapping[str, int]) -> None:
    """n1 is in service, and all who know of its slices know these."""
    hooking.wait_for(
        lambda: (
            state(cluster).split("+")[0] in ("IDLE", "MIXED", "ALLOCATED")
            and "DRAIN" not in state(cluster)
        ),
        "n1 in service",
        cluster,
        20,
    )
    assert live(cluster) == layout
    gres = hooking.node_field(cluster, "n1", "Gres").removesuffix("(S:0)")
    told = dict(one.removeprefix(f"gpu:{TYPE}").rsplit(":", 1) for one in gres.split(","))
    assert {kind: int(count) for kind, count in told.items()} == layout
    profiles = [entry["mig"]["profile"] for entry in hooking.gres_map(cluster, "n1")]
    assert {profile: profiles.count(profile) for profile in profiles} == layout
    assert record(cluster) == {}


class Watchers:
    """Jobs for every profile, submitted all the while; each tells what it could open."""

    def __init__(self, cluster: Cluster, nodes: Sequence[str] = ("n1",)) -> None:
        self._cluster, self._nodes = cluster, itertools.cycle(nodes)
        self._folder = cluster.folder / "watchers"
        self._folder.mkdir(exist_ok=True)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._submit, daemon=True)
        self.submitted = 0

    def __enter__(self) -> "Watchers":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _submit(self) -> None:
        profiles = list({**SEVEN, **MIXED})
        while True:
            for profile in profiles:
                if self._end.wait(0.5):
                    return
                out = f"/run/cluster/watchers/%j-{profile}"
                asked = [
                    "sbatch",
                    "-w",
                    next(self._nodes),
                    f"--gres=gpu:{TYPE}{profile}:1",
                    "-o",
                    out,
                ]
                wrap = " ".join(reach.PROBE)
                done = self._cluster.exec(
                    CONTROLLER, [*asked, "-D", "/", "--wrap", wrap], check=False
                )
                self.submitted += done.returncode == 0

    def finish(self) -> list[tuple[str, frozenset[str]]]:
        """Cancel those that wait; what each that ran had asked for, and which slices it opened."""
        self._cluster.exec(CONTROLLER, ["scancel", "--state=PENDING", "--me"], check=False)
        found = []
        for file in sorted(self._folder.iterdir()):
            for answer in reach.parse(file.read_text()):
                found.append((file.name.partition("-")[2], slices(answer)))
        return found


def slices(answer: reach.Reach) -> frozenset[str]:
    """The live slices whose files a job could open: profile and GPU instance, by the caps' numbers.

    On the H100's driver the number of a GPU instance tells its profile, and that of its cap is
    3 + 9 times that number; the compute instance's is one more.
    """
    allowed = answer.allowed & answer.live
    numbers = {int(path.rpartition("cap")[2]) for path in allowed}
    found = set()
    for number in sorted(numbers):
        instance, rest = divmod(number - 3, 9)
        profile = "3g.40gb" if instance <= 2 else "2g.20gb" if instance <= 6 else "1g.10gb"
        assert rest in (0, 1), allowed
        assert {number, number + 1 if rest == 0 else number - 1} <= numbers, allowed
        found.add(f"{profile}@{instance}")
    return frozenset(found)


def must_match(watched: list[tuple[str, frozenset[str]]]) -> None:
    """Every job opened one slice, of the profile that it had asked for."""
    for asked, opened in watched:
        assert len(opened) == 1, (asked, opened)
        assert next(iter(opened)).startswith(f"{asked}@"), (asked, opened)
