"""A cluster whose nodes are reconfigured together from the controller's machine."""

import contextlib
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.cluster import hooking, site
from tests.cluster.cluster import Cluster
from tests.cluster.conffiles import Files
from tests.cluster.node import environment
from tests.cluster.reconfiguring import FILE, MIXED, SEVEN, TYPE, YAML
from tests.cluster.slurmconf import CONTROLLER

REACH = f"{site.FOLDER}/reach"
CONFIG = f"""\
{site.CONFIG}
remote_command = ["{REACH}", "{{node}}"]
remote_slurm_mig = ["{sys.executable}", "-m", "slurm_mig"]
"""
GPUS = ["h100-80gb=7x1g.10gb"]
LAYOUTS = {"seven": SEVEN, "mixed": MIXED}
RECOVER = [sys.executable, "-m", "slurm_mig", "recover"]
RUNS = "var/lib/slurm-mig/fleet"


@contextlib.contextmanager
def up(
    folder: Path,
    count: int,
    *,
    slurm: str,
    dynamic: str | None = None,
    config: str = CONFIG,
    settings: Mapping[str, str] | None = None,
    files: Files = Files.OWN,
) -> Iterator[Cluster]:
    """A cluster of `count` nodes, each with seven slices, that the controller reaches."""
    nodes = {f"n{number}": GPUS for number in range(1, count + 1)}
    if dynamic:
        start = f'"{site.SLURMD_START}"'
        config = config.replace(f"[{start}]", f'[{start}, "{{conf}}"]')
    with hooking.up(
        folder, nodes, slurm=slurm, config=config, dynamic=dynamic, settings=settings, files=files
    ) as cluster:
        (cluster.folder / "mig.yaml").write_text(YAML)
        (cluster.node(CONTROLLER).root / "etc/slurm-mig/config.toml").write_text(config)
        write_reach(cluster)
        yield cluster


def write_reach(cluster: Cluster, gone: str = "", times: int = 0) -> None:
    """What stands for ssh; the node `gone` is reached so many times more, and then never."""
    marks = [f"{site.FOLDER}/reached-{number}" for number in range(times)]
    for mark in (cluster.folder / "site").glob("reached-*"):
        mark.rmdir()
    left = "".join(f"mkdir {mark} 2>/dev/null || " for mark in marks)
    lines = ["#!/bin/sh", 'node=$1; line=$2; case "$node" in']
    for name in cluster.names:
        there = shlex.join(cluster.command(name, ["sh", "-c"]))
        must = f"{left}exit 255; " if name == gone else ""
        lines.append(f'{name}) {must}exec {there} "$line";;')
    script = cluster.folder / "site/reach"
    draft = script.with_suffix(".new")
    draft.write_text("\n".join([*lines, "*) exit 255;;", "esac", ""]))
    draft.chmod(0o755)
    draft.replace(script)


def command(*words: str) -> list[str]:
    """The words of a reconfigure of many nodes."""
    return [sys.executable, "-m", "slurm_mig", "reconfigure", *words]


def wish(nodes: str, label: str, *more: str) -> list[str]:
    """The words that give these nodes a layout."""
    return command(nodes, "-f", FILE, "-c", label, *more)


def run(cluster: Cluster, words: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Run it on the controller's machine, to its end, whatever that is."""
    return cluster.exec(CONTROLLER, words, check=False, timeout_s=240)


def started(cluster: Cluster, words: Sequence[str]) -> "subprocess.Popen[str]":
    """The same under way."""
    return subprocess.Popen(
        cluster.command(CONTROLLER, words),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def record(cluster: Cluster) -> dict[str, Any]:
    """What is on the disk of the last run; empty where there is none."""
    found = []
    for file in (cluster.node(CONTROLLER).root / RUNS).glob("*.json"):
        with contextlib.suppress(FileNotFoundError, ValueError):
            found.append(json.loads(file.read_text()))
    return max(found, key=lambda one: float(one["begun"]), default={})


def stages(cluster: Cluster) -> dict[str, str]:
    """How far each node is, by the record."""
    return {one["name"]: one["outcome"] or one["stage"] for one in record(cluster).get("nodes", ())}


def live(cluster: Cluster, name: str) -> dict[str, int]:
    """The slices of a node, by profile."""
    found = json.loads(hooking.slurm_mig(cluster, name, "discover", "--json"))
    profiles = [device["profile"] for gpu in found["gpus"] for device in gpu["mig_devices"]]
    return {profile: profiles.count(profile) for profile in profiles}


def state(cluster: Cluster, name: str) -> str:
    return hooking.node_field(cluster, name, "State")


def must_have(cluster: Cluster, names: Sequence[str], layout: Mapping[str, int]) -> None:
    """These nodes are in service, and all who know of their slices know these."""
    for name in names:
        hooking.wait_for(
            lambda name=name: (
                state(cluster, name).split("+")[0] in ("IDLE", "MIXED", "ALLOCATED")
                and "DRAIN" not in state(cluster, name)
            ),
            f"{name} in service",
            cluster,
            30,
        )
        assert live(cluster, name) == layout, name
        gres = hooking.node_field(cluster, name, "Gres").removesuffix("(S:0)")
        told = dict(one.removeprefix(f"gpu:{TYPE}").rsplit(":", 1) for one in gres.split(","))
        assert {kind: int(count) for kind, count in told.items()} == layout, name
        profiles = [entry["mig"]["profile"] for entry in hooking.gres_map(cluster, name)]
        assert {profile: profiles.count(profile) for profile in profiles} == layout, name
        assert not (cluster.node(name).root / "var/lib/slurm-mig/reconfigure.json").exists()


def rereads(cluster: Cluster) -> int:
    """How often slurmctld was told to read its files."""
    return (cluster.folder / "log/slurmctld.log").read_text().count("Processing Reconfiguration")


def starts(cluster: Cluster) -> int:
    """How often slurmctld was started."""
    return (cluster.folder / "log/slurmctld.log").read_text().count("slurmctld version")
