"""What the hooks do when something is wrong, and what Slurm shows of it afterwards."""

import fcntl
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm_mig.slurm.reach import ClusterShellReach
from slurm_mig.usage.store.collect import Collected
from slurm_mig.usage.store.database import opened
from slurm_mig.usage.store.fetch import Way, fetch
from slurm_mig.usage.store.query import rows
from tests.cluster import cgroups, hooking, reach, roots
from tests.cluster.cluster import Cluster
from tests.cluster.hooking import record_of, submit, wait_for, wait_state
from tests.cluster.node import SCRATCH, start_time
from tests.cluster.slurmconf import CONTROLLER
from tests.sim.api import Sim

ONE, THREE = "--gres=gpu:nvidia_a100_1g.5gb:1", "--gres=gpu:nvidia_a100_3g.20gb:1"
GPU = "a100-40gb=3g.20gb/4x1g.5gb"
STRANGER = 2  # bin: the jobs are another user's
WAITING = ("--wrap", "sleep 600")


@pytest.fixture(scope="module", params=roots.GATING)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Two nodes with the hooks on, under each Slurm that gates."""
    folder = tmp_path_factory.mktemp("hooks") / "c"
    nodes = {"n1": [GPU], "n2": [GPU]}
    with hooking.up(folder, nodes, slurm=str(request.param)) as cluster:
        yield cluster


@pytest.fixture
def cluster(running: Cluster) -> Iterator[Cluster]:
    """The same, with nothing of the test before: no job, every node in service."""
    yield running
    for name in running.names:
        config(running, name).unlink(missing_ok=True)
        (state_dir(running, name) / "generation").unlink(missing_ok=True)
        hooking.make_map(running, name)
    running.exec(CONTROLLER, ["scancel", "--full", f"--user={hooking.USER}"])
    wait_for(lambda: calm(running), "calm cluster", running)


def calm(cluster: Cluster) -> bool:
    """Whether every node is idle; whoever is drained is taken back."""
    for name in cluster.names:
        if "DRAIN" in hooking.node_field(cluster, name, "State"):
            hooking.resume(cluster, name)
    return cluster.states() == dict.fromkeys(cluster.names, "idle")


def started(cluster: Cluster, name: str, *words: str) -> int:
    """A job of these words of sbatch on a node that waits there, its prolog done."""
    job = submit(cluster, "-w", name, *words, *WAITING)
    wait_state(cluster, job, "RUNNING")
    hooking.logged(cluster, name, "hook=prolog", f"job={job} ")
    return job


def config(cluster: Cluster, name: str) -> Path:
    return cluster.node(name).root / "etc/slurm-mig/config.toml"


def state_dir(cluster: Cluster, name: str) -> Path:
    return cluster.node(name).root / "run/slurm-mig"


def drained(cluster: Cluster, name: str, reason: str) -> None:
    """The node takes no job any more, and says why."""
    wait_for(
        lambda: "DRAIN" in hooking.node_field(cluster, name, "State"), f"drain of {name}", cluster
    )
    assert hooking.node_field(cluster, name, "Reason") == reason


def refused(cluster: Cluster, job: int, name: str = "n1") -> str:
    """The job did not start, is held, and its node is drained; the prolog's line in the log."""
    drained(cluster, name, "Prolog error")
    wait_for(
        lambda: hooking.job_field(cluster, job, "Reason").endswith("held"), "held job", cluster
    )
    wait_state(cluster, job, "PENDING")
    line = hooking.logged(cluster, name, "hook=prolog", f"job={job} ")
    assert "exit=1" in line
    return line


def in_service(cluster: Cluster, name: str = "n1") -> None:
    """The node is idle, as it was before the job."""
    cluster.wait_idle(hooking.LIMIT_S)
    assert hooking.node_field(cluster, name, "State") == "IDLE"


def test_a_job_without_gpus_passes_where_nothing_else_would(cluster: Cluster) -> None:
    kept = state_dir(cluster, "n1") / "gres-map.json"
    text = kept.read_text()
    kept.unlink()
    before = hooking.log(cluster, "n1")
    cluster.srun("-w", "n1", "--chdir=/", "true", uid=hooking.USER)
    in_service(cluster)
    assert hooking.log(cluster, "n1") == before
    kept.write_text(text)


def test_no_map_drains(cluster: Cluster) -> None:
    (state_dir(cluster, "n1") / "gres-map.json").unlink()
    line = refused(cluster, submit(cluster, "-w", "n1", ONE, *WAITING))
    assert "gres-map" in line


def test_a_map_of_an_earlier_partitioning_drains(cluster: Cluster) -> None:
    generation = state_dir(cluster, "n1") / "generation"
    generation.write_text("7\n")
    line = refused(cluster, submit(cluster, "-w", "n1", ONE, *WAITING))
    assert "slurm-mig gres-map" in line


def test_a_gres_conf_that_was_changed_is_told(cluster: Cluster) -> None:
    path = cluster.node("n1").root / "etc/slurm/gres.conf"
    kept, written = path.read_text(), path.stat()
    lines = kept.splitlines(keepends=True)
    ones = [number for number, line in enumerate(lines) if "1g.5gb" in line and "Name=" in line]
    lines[ones[0]], lines[ones[-1]] = lines[ones[-1]], lines[ones[0]]
    path.write_text("".join(lines))
    cluster.exec(CONTROLLER, ["scontrol", "reconfigure"])
    wait_for(lambda: calm(cluster), "calm cluster", cluster)
    try:
        (job,) = reach.of_job(cluster, "-w", "n1", ONE)
        # Every version's slurmd has read it again, 22.05's too, which keeps its process.
        first = hooking.gres_map(cluster, "n1")[int(job.told["SLURM_STEP_GPUS"])]
        assert not job.allowed & {file["path"] for file in first["files"][1:]}
        line = hooking.logged(cluster, "n1", "hook=prolog", "decision=noted", "gres.conf")
        assert "if slurmd has read it, run `slurm-mig gres-map`" in line
    finally:
        path.write_text(kept)
        os.utime(path, ns=(written.st_atime_ns, written.st_mtime_ns))
        cluster.exec(CONTROLLER, ["scontrol", "reconfigure"])


def test_a_missing_device_file_drains(cluster: Cluster) -> None:
    path = hooking.gres_map(cluster, "n1")[0]["files"][-1]["path"]
    file = cluster.node("n1").root / path.removeprefix("/")
    device, aside = file.stat().st_rdev, file.with_name("aside")
    file.rename(aside)
    os.mknod(file, 0o020444, os.makedev(os.major(device), 250))
    line = refused(cluster, submit(cluster, "-w", "n1", THREE, *WAITING))
    aside.rename(file)
    assert path in line


def test_a_slice_that_a_living_job_has_is_not_given_again(cluster: Cluster) -> None:
    holder = started(cluster, "n1", ONE)
    (mine,) = hooking.bindings(cluster, "n1")
    three = hooking.gres_map(cluster, "n1")[0]["mig"]
    folder = state_dir(cluster, "n1") / "bindings"
    # As if a bug, somewhere, had given it twice.
    shutil.copy(folder / mine, folder / f"gpu0.gi{three['gi_id']}.ci{three['ci_id']}")
    line = refused(cluster, submit(cluster, "-w", "n1", THREE, *WAITING))
    assert str(holder) in line
    assert hooking.job_field(cluster, holder, "JobState") == "RUNNING"
    (folder / f"gpu0.gi{three['gi_id']}.ci{three['ci_id']}").unlink(missing_ok=True)


def test_a_slice_repartitioned_under_a_job(cluster: Cluster) -> None:
    job = started(cluster, "n2", THREE)
    sim = Sim(cluster.node("n2").folder)
    sim.partition(0, "7x1g.5gb")
    cluster.exec(CONTROLLER, ["scancel", str(job)])
    record = record_of(cluster, "n2", job)
    assert [one["repartitioned"] for one in record["slices"]] == [True]
    in_service(cluster, "n2")
    refused(cluster, submit(cluster, "-w", "n2", THREE, *WAITING), "n2")
    sim.partition(0, GPU.partition("=")[2])
    sim.make_nodes()
    hooking.make_map(cluster, "n2")


def test_a_lock_that_nobody_lets_go_of(cluster: Cluster) -> None:
    job = started(cluster, "n1", THREE)
    with (state_dir(cluster, "n1") / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        line = refused(cluster, submit(cluster, "-w", "n1", ONE, *WAITING))
        assert "lock" in line
        cluster.exec(CONTROLLER, ["scancel", str(job)])
        line = hooking.logged(cluster, "n1", "hook=epilog", f"job={job} ")
        assert "exit=0" in line
    assert hooking.node_field(cluster, "n1", "Reason") == "Prolog error"


def test_usage_that_cannot_be_recorded_costs_nothing(cluster: Cluster) -> None:
    usage = cluster.node("n1").root / "var/lib/slurm-mig/usage"
    kept = usage.with_name("kept")
    had = usage.exists()
    if had:
        usage.rename(kept)
    usage.write_text("no folder")
    job = submit(cluster, "-w", "n1", ONE, "--wrap", "true")
    wait_state(cluster, job, "COMPLETED")
    line = hooking.logged(cluster, "n1", "hook=epilog", f"job={job} ")
    assert "exit=0" in line
    assert "usage" in line
    in_service(cluster)
    usage.unlink()
    if had:
        kept.rename(usage)
    # What could not be written then is not lost: the next hook writes it.
    cluster.srun("-w", "n1", "--chdir=/", ONE, "true", uid=hooking.USER)
    record_of(cluster, "n1", job)


@pytest.mark.parametrize("policy", ["log", "drain", "kill", "off"])
def test_a_stranger_on_the_slice(cluster: Cluster, policy: str) -> None:
    config(cluster, "n1").write_text(f'[hooks]\nforeign_process = "{policy}"\n')
    with hooking.holding(cluster, "n1", 0, STRANGER) as pid:
        born = start_time(pid)
        job = submit(cluster, "-w", "n1", THREE, "--wrap", "true")
        if policy == "drain":
            assert str(pid) in refused(cluster, job)
        else:
            wait_state(cluster, job, "COMPLETED")
            line = hooking.logged(cluster, "n1", "hook=prolog", f"job={job} ")
            assert "exit=0" in line
            assert (str(pid) in line.partition("notes=")[2]) == (policy != "off")
            in_service(cluster)
        assert start_time(pid) == (None if policy == "kill" else born)


def test_roots_own_daemons_are_nobodys_leftovers(cluster: Cluster) -> None:
    config(cluster, "n1").write_text('[hooks]\nforeign_process = "kill"\n')
    with hooking.holding(cluster, "n1", 0, 0) as pid:
        born = start_time(pid)
        job = submit(cluster, "-w", "n1", THREE, "--wrap", "true")
        record_of(cluster, "n1", job)
        assert start_time(pid) == born
        in_service(cluster)


def test_what_a_job_leaves_is_ended(cluster: Cluster) -> None:
    job = started(cluster, "n1", THREE)
    with hooking.holding(cluster, "n1", 0, hooking.USER) as pid:
        cluster.exec(CONTROLLER, ["scancel", str(job)])
        assert record_of(cluster, "n1", job)["leftovers"] == 1
        assert start_time(pid) is None
    in_service(cluster)


def test_what_cannot_be_ended_drains(cluster: Cluster) -> None:
    config(cluster, "n1").write_text("[hooks]\nleftover_wait_s = 0.5\n")
    job = started(cluster, "n1", THREE)
    with hooking.holding(cluster, "n1", 0, hooking.USER) as pid:
        # Frozen, it does not even die of SIGKILL: as one that hangs in a driver.
        freezer = (
            f"{cgroups.groups(SCRATCH)}/freezer/stuck"  # of v1: that of v2 lets a kill through
        )
        freeze = f"mkdir {freezer} && echo {pid} >{freezer}/cgroup.procs && "
        cluster.exec("n1", ["sh", "-c", f"{freeze} echo FROZEN >{freezer}/freezer.state"])
        try:
            cluster.exec(CONTROLLER, ["scancel", str(job)])
            drained(cluster, "n1", "Epilog error")
            line = hooking.logged(cluster, "n1", "hook=epilog", f"job={job} ")
            assert "exit=1" in line
            assert str(pid) in line
        finally:
            cluster.exec("n1", ["sh", "-c", f"echo THAWED >{freezer}/freezer.state"])
    record_of(cluster, "n1", job)  # recorded all the same


def test_whatever_happened_the_records_of_both_nodes_come_into_one_database(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.srun("--chdir=/", "-N2", THREE, "true", uid=hooking.USER)
    cluster.wait_idle()  # both epilogs are done
    way = tmp_path / "way"  # in the place of ssh
    cases = (f"{name}) exec {shlex.join(cluster.command(name, ['sh', '-c']))} \"$2\";;"
             for name in cluster.names)  # fmt: skip
    way.write_text("\n".join(["#!/bin/sh", 'case "$1" in', *cases, "esac", ""]))
    way.chmod(0o755)
    reached = ClusterShellReach(command=(str(way), "{node}"))
    words = (sys.executable, "-m", "slurm_mig", "usage", "ship")
    written = [one for name in cluster.names for one in hooking.records(cluster, name)]
    with opened(Path("/"), f"sqlite:///{tmp_path}/usage.db", make=True) as store:
        done = fetch(store, cluster.names, Way(reached, words))
        assert done == Collected(files=2, new=len(written)), done.told
        held = list(rows(store))
    assert len(held) == sum(len(one["slices"]) for one in written)
    last = written[-1]["job_id"]
    assert {one.job.node for one in held if one.job.job_id == last} == {"n1", "n2"}
