"""doctor on real clusters of both releases: a good one, and good ones spoilt."""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import hooking, roots
from tests.cluster.cluster import Cluster
from tests.cluster.node import CHECKOUT
from tests.cluster.test_gres_map import autodetected

NODES = {"n1": ["h100-80gb", "l40s"], "n2": ["a100-40gb=3g.20gb/4x1g.5gb"]}
Found = set[tuple[str, str]]
GOOD = {("note", "SchedulerParameters"), ("note", "monitor")}  # no monitor runs here


@pytest.fixture(scope="module", params=roots.GATING)
def good(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """A cluster with hooks and maps, as docs/hooks.md would have it."""
    folder = tmp_path_factory.mktemp("cluster") / "c"
    with hooking.up(folder, NODES, slurm=str(request.param)) as running:
        yield running


def doctor(cluster: Cluster, name: str) -> tuple[int, Found]:
    """Its exit code, and what it found: level and about what."""
    tool = [sys.executable, "-m", "slurm_mig", "doctor", "--json"]
    done = cluster.exec(name, tool, check=False)
    answer = json.loads(done.stdout)
    return done.returncode, {(each["level"], each["about"]) for each in answer["findings"]}


def test_nothing_is_wrong_with_a_good_cluster(good: Cluster) -> None:
    # A checkout of an ordinary user's is no place for what root runs: rightly told.
    not_roots = (CHECKOUT / "hooks/prolog").stat().st_uid != 0
    about_owner = {("wrong", name) for name in ("Prolog", "Epilog", "TaskProlog")}
    for name in good.names:
        _, found = doctor(good, name)
        assert found - (about_owner if not_roots else set()) == GOOD


@pytest.mark.parametrize("slurm", roots.GATING)
def test_nothing_is_wrong_where_slurm_detects_the_slices(slurm: str, tmp_path: Path) -> None:
    """What is risky of AutoDetect in the old release is said."""
    with Cluster.up(tmp_path / "c", NODES, slurm=slurm, gres=autodetected) as cluster:
        code, found = doctor(cluster, "n1")
    assert code == 0
    assert (("risky", "Slurm 22.05.8") in found) == (slurm == "22.05")
    # No hooks here, and nothing else that is worth a word.
    about = {"Prolog", "Epilog", "TaskProlog", "Slurm 22.05.8", "monitor"}
    assert {name for _, name in found} <= about


def test_device_constraint_switched_off(good: Cluster) -> None:
    path = good.conf / "cgroup.conf"
    text = path.read_text()
    path.write_text(text.replace("ConstrainDevices=yes", "ConstrainDevices=no"))
    try:
        code, found = doctor(good, "n1")
    finally:
        path.write_text(text)
    assert code == 1
    # The map was made while they were constrained.
    assert {("wrong", "ConstrainDevices"), ("wrong", "gres map")} <= found


def test_slices_made_anew_under_a_running_slurmd(good: Cluster) -> None:
    """What apply will do, without the restart: the generation is bumped before anything."""
    generation = good.node("n2").root / "run/slurm-mig/generation"
    generation.write_text("1\n")
    os.utime(generation, (time.time() + 60, time.time() + 60))
    try:
        code, found = doctor(good, "n2")
    finally:
        generation.unlink()
    assert code == 1
    assert {("wrong", "slurmd"), ("wrong", "gres map")} <= found


def test_a_cap_node_that_went_missing(good: Cluster) -> None:
    """slurmd itself would wait 20 s for it, and end: it is not even asked."""
    path = max((good.node("n2").root / "dev/nvidia-caps").glob("nvidia-cap*"))
    found = path.lstat()
    path.unlink()
    try:
        code, said = doctor(good, "n2")
    finally:
        os.mknod(path, found.st_mode, found.st_rdev)
        path.chmod(found.st_mode & 0o7777)
    assert code == 1
    assert ("wrong", "device files") in said
    assert doctor(good, "n2")[0] == 0
