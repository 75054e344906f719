"""The gres map on real Slurms: what it says of an index is what a job on that index reaches."""

import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from slurm_mig.slurm.records.slurmd_list import parse_slurmd_list
from tests.cluster import reach, roots
from tests.cluster.cluster import Cluster
from tests.cluster.conffiles import Gres
from tests.cluster.conftest import CAP, BareMachine
from tests.cluster.hooking import gres_map
from tests.cluster.machines import Machines
from tests.cluster.slurmds import slurmd_g

SLURM_MIG = (sys.executable, "-m", "slurm_mig")
NODES = {"n1": ["h100-80gb", "l40s"], "n2": ["a100-40gb=3g.20gb/4x1g.5gb"]}


def autodetected(machines: Machines, name: str) -> Gres:
    """Lines that AutoDetect=nvml matches: another order of the list."""
    tool = [*SLURM_MIG, "gen-gres", "--slurm-version", machines.slurm.version]
    tool += ["--autodetect", "nvml"]
    line = machines.exec(name, [*tool, "--gres-line"]).stdout.strip()
    return Gres(line, machines.exec(name, tool).stdout)


@pytest.fixture(scope="module", params=roots.GATING)
def detecting(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """The same machines as `cluster`, with AutoDetect=nvml."""
    folder = tmp_path_factory.mktemp("cluster") / "c"
    with Cluster.up(folder, NODES, slurm=str(request.param), gres=autodetected) as running:
        yield running


def make_map(cluster: Cluster, name: str, *options: str) -> tuple[int, str]:
    done = cluster.exec(name, [*SLURM_MIG, "gres-map", *options], check=False)
    return done.returncode, done.stderr


def files_of(entry: dict[str, Any]) -> set[str]:
    return {file["path"] for file in entry["files"]}


def agrees_with_jobs(cluster: Cluster) -> None:
    """Jobs that fill both nodes: each reaches the files that the map has for its indices."""
    for name in cluster.names:
        code, said = make_map(cluster, name, "--slurmd-options", f"-D -s -N {name}")
        assert code == 0, said
        entries = gres_map(cluster, name)
        known = set().union(*map(files_of, entries))
        for kind in {entry["type"] for entry in entries}:
            (job,) = reach.of_job(cluster, "-w", name, f"--gres=gpu:{kind}:1")
            index = int(job.told["SLURM_STEP_GPUS"])
            assert job.allowed & known == files_of(entries[index]), entries[index]
            assert entries[index]["type"] == kind


def test_an_index_is_the_slice_that_the_map_says(cluster: Cluster) -> None:
    agrees_with_jobs(cluster)


def test_with_autodetect_too(detecting: Cluster) -> None:
    agrees_with_jobs(detecting)


def test_once_more_changes_nothing(cluster: Cluster) -> None:
    make_map(cluster, "n1")
    code, said = make_map(cluster, "n1")
    assert (code, said) == (0, "/run/slurm-mig/gres-map.json: unchanged, 5 gres\n")


def test_a_slurmd_that_is_older_than_gres_conf_keeps_its_map(cluster: Cluster) -> None:
    make_map(cluster, "n2")
    before = gres_map(cluster, "n2")
    path = cluster.node("n2").root / "etc/slurm/gres.conf"
    os.utime(path, (time.time() + 60, time.time() + 60))
    try:
        code, said = make_map(cluster, "n2")
        assert code == 1
        assert "was changed after slurmd started: restart slurmd" in said
        assert gres_map(cluster, "n2") == before
    finally:
        os.utime(path, (0, 0))


def test_slurmd_and_the_slices_do_not_agree(cluster: Cluster) -> None:
    """A line less: the slice that it named could be opened by every job."""
    make_map(cluster, "n2")
    path = cluster.node("n2").root / "etc/slurm/gres.conf"
    text = path.read_text()
    lines = [line for line in text.splitlines(keepends=True) if "3g.20gb Multiple" not in line]
    path.write_text("".join(lines))
    os.utime(path, (0, 0))
    try:
        code, said = make_map(cluster, "n2")
        assert code == 1
        assert "was removed" in said
        assert not (cluster.node("n2").root / "run/slurm-mig/gres-map.json").exists()
    finally:
        path.write_text(text)
        os.utime(path, (0, 0))
    assert make_map(cluster, "n2")[0] == 0


@pytest.mark.parametrize("version", roots.GATING)
def test_a_line_for_several_gpus(version: str, bare_machine: BareMachine) -> None:
    """Files that follow each other may be printed as one record: its count tells."""
    conf = (
        f"Name=gpu Type=b MultipleFiles=/dev/nvidia0,{CAP}4,{CAP}5\n"
        "Name=gpu Type=a File=/dev/nvidia[0-1]\n"
    )
    answer = slurmd_g(version, bare_machine, "gpu:a:2,gpu:b:1", conf)
    assert [(each.type, each.files) for each in parse_slurmd_list(answer.log)] == [
        ("a", ("/dev/nvidia0",)),
        ("a", ("/dev/nvidia1",)),
        ("b", ("/dev/nvidia0", f"{CAP}4", f"{CAP}5")),
    ]
