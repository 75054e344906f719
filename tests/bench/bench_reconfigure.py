"""reconfigure: how long a node is out of service beyond its jobs, against what has to be done.

`python -m tests.bench.bench_reconfigure`, as root. On real clusters (24.11, a static and a dynamic
node, one simulated H100, no jobs): the median of each phase; the simulator's part of PARTITION
apart (the NVML calls of an apply, by its own report). The baseline, in turn in the same run, are
the Slurm and slurmd operations that nobody can do without (tests/bench/bare.py), by hand: drain,
stop slurmd, write the files, `scontrol reconfigure` or `delete`, start slurmd until it has
registered, `slurmd -G` once, resume. The aim: at most 1.5.
"""

import json
import random
import shlex
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from tests.bench import bare
from tests.cluster import hooking, site
from tests.cluster import reconfiguring as on
from tests.cluster.cluster import Cluster

ROUNDS = 5
LABELS = ("mixed", "seven")
_TOOL = [sys.executable, "-m", "slurm_mig"]


class Known(NamedTuple):
    """How Slurm's files are with one layout, and what slurmd is started with then."""

    files: Mapping[str, str]
    types: str
    conf: str


def main() -> None:
    """Print the medians and the ratio of both kinds."""
    for dynamic in (False, True):
        with (
            tempfile.TemporaryDirectory(dir="/dev/shm") as folder,
            on.up(Path(folder) / "c", slurm="24.11", dynamic=dynamic) as cluster,
        ):
            _measure(cluster, dynamic)


def _measure(cluster: Cluster, dynamic: bool) -> None:
    known: dict[str, Known] = {}
    phases: defaultdict[str, list[float]] = defaultdict(list)
    steps: defaultdict[str, list[float]] = defaultdict(list)
    ours, theirs, simulator = [], [], []
    for label in LABELS:  # once for what the files become, and to warm up
        _reconfigured(cluster, label)
        known[label] = _as_it_is(cluster, dynamic)
    for _ in range(ROUNDS):
        for label in LABELS:
            took = _reconfigured(cluster, label)
            for phase, seconds in took.items():
                phases[phase].append(seconds)
            ours.append(sum(took.values()) - took["WAIT"])
        for label in LABELS:
            did, nvml = _by_hand(cluster, label, known[label], dynamic)
            for step, seconds in did.items():
                steps[step].append(seconds)
            theirs.append(sum(did.values()))
            simulator.append(nvml)
    _tell("dynamic" if dynamic else "static", phases, steps, (ours, theirs, simulator))


def _reconfigured(cluster: Cluster, label: str) -> dict[str, float]:
    _any_time()
    done = on.reconfigure(cluster, label, "--json")
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return {one["phase"]: one["seconds"] for one in json.loads(done.stdout)["phases"]}


def _any_time() -> None:
    """slurmd and slurmctld do much once a second: nobody is to come at the best time of it."""
    time.sleep(random.random())


def _as_it_is(cluster: Cluster, dynamic: bool) -> Known:
    etc = cluster.node("n1").root / "etc/slurm"
    files = {"/etc/slurm/gres.conf": (etc / "gres.conf").read_text()}
    if not dynamic:
        files["/etc/slurm/slurm.conf"] = (cluster.conf / "slurm.conf").read_text()
    types = hooking.node_field(cluster, "n1", "Gres").removesuffix("(S:0)")
    words = shlex.split((cluster.node("n1").folder / site.OPTIONS).read_text())
    return Known(files, types.replace("(S:0)", ""), words[-1] if dynamic else "")


def _by_hand(
    cluster: Cluster, label: str, known: Known, dynamic: bool
) -> tuple[dict[str, float], float]:
    """The seconds of each step, and of the NVML calls of the apply in between."""
    _any_time()
    report = "/run/cluster/apply.json"
    apply = shlex.join([*_TOOL, "apply", "-f", on.FILE, "-c", label, "--json"])
    wish: dict[str, Any] = {**known._asdict(), "node": "n1"}
    wish["way"] = "delete" if dynamic else "reconfigure"
    wish["apply"] = ["/bin/sh", "-c", f"{apply} >{report}"]
    script = f"/run/checkout/tests/bench/{Path(bare.__file__).name}"
    words = ["/usr/bin/python3", "-I", "-S", script, json.dumps(wish)]
    done = cluster.exec("n1", words, timeout_s=120)
    told = json.loads((cluster.folder / "apply.json").read_text())
    return json.loads(done.stdout), sum(step["seconds"] for step in told["took"])


def _tell(
    kind: str,
    phases: Mapping[str, list[float]],
    steps: Mapping[str, list[float]],
    sums: tuple[list[float], list[float], list[float]],
) -> None:
    ours, theirs, simulator = map(median, sums)
    print(f"24.11, {kind} node, medians of {len(sums[0])}, in ms")
    print("  " + ", ".join(f"{name} {1e3 * median(of):.0f}" for name, of in phases.items()))
    print("  by hand: " + ", ".join(f"{name} {1e3 * median(of):.0f}" for name, of in steps.items()))
    print(
        f"  out of service {1e3 * ours:.0f}, of it NVML (simulated) {1e3 * simulator:.0f}; by hand "
        f"{1e3 * theirs:.0f}; ratio without NVML {(ours - simulator) / theirs:.2f}"
    )


if __name__ == "__main__":
    main()
