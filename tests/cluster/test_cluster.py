"""A cluster comes up, stays apart from another, and leaves nothing behind, however it ends."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster import reach
from tests.cluster.bring_up import group_of
from tests.cluster.cluster import Cluster, down
from tests.cluster.conftest import bare, bare_gres, leftovers, until
from tests.cluster.machines import STATE, Machines
from tests.cluster.node import CHECKOUT, ClusterError

CLI = [sys.executable, "-m", "tests.cluster"]
BARE_UP = """\
import sys, time
from pathlib import Path
from tests.cluster.cluster import Cluster
from tests.cluster.conftest import bare, bare_gres
with Cluster.up(Path(sys.argv[1]), {"n1": []}, make_machine=bare, gres=bare_gres):
    print("up", flush=True)
    time.sleep(60)
"""


def test_two_clusters_with_equal_names_run_side_by_side(version: str, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    with Cluster.up(one, ["n1"], slurm=version, make_machine=bare, gres=bare_gres) as first:
        with Cluster.up(two, ["n1"], make_machine=bare, gres=bare_gres) as second:
            for cluster in (first, second):
                (answer,) = reach.of_job(cluster, "--gres=gpu:3g.40gb:1")
                assert answer.told["SLURM_STEP_GPUS"] == "2"
        assert leftovers(two) == []
        assert first.srun("hostname") == "n1\n"
    assert leftovers(one) == []


def test_a_node_has_devices_and_files_of_its_own(tmp_path: Path) -> None:
    with Cluster.up(tmp_path / "c", ["n1", "n2"], make_machine=bare, gres=bare_gres) as cluster:
        cluster.exec("n1", ["sh", "-c", "echo mine >/etc/slurm-mig/x; echo mine >/run/x"])
        assert (cluster.node("n1").root / "etc/slurm-mig/x").read_text() == "mine\n"
        assert cluster.exec("n2", ["ls", "/etc/slurm-mig"]).stdout == ""
        assert "nvidia0" in cluster.exec("n1", ["ls", "/dev"]).stdout
        assert "nvidia0" not in cluster.exec("ctl", ["ls", "/dev"]).stdout
    assert not Path("/etc/slurm-mig/x").exists()
    assert not Path("/run/x").exists()


def test_settings_reach_slurm_and_hooks_run(version: str, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    settings = {"Prolog": "/run/cluster/bin/hook", "PrologFlags": "Contain"}
    with Cluster.up(
        folder, ["n1"], slurm=version, settings=settings, make_machine=bare, gres=bare_gres
    ) as cluster:
        hook = folder / "bin/hook"
        hook.write_text('#!/bin/sh\necho "$SLURMD_NODENAME $SLURM_JOB_GPUS" >/run/told\n')
        hook.chmod(0o755)
        cluster.srun("--gres=gpu:3g.40gb:1", "true")
        assert (cluster.node("n1").root / "run/told").read_text() == "n1 2\n"


def test_a_user_of_no_rights_reaches_what_a_job_needs(version: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with Cluster.up(tmp_path / "c", ["n1"], slurm=version, make_machine=bare, gres=bare_gres) as c:
        probe = c.srun("--chdir=/", "--gres=gpu:1g.10gb:1", *reach.PROBE, uid=65534)
        (answer,) = reach.parse(probe)
        assert len(answer.allowed & set(map("/dev/nvidia{}".format, range(2)))) == 1


@pytest.mark.parametrize("victim", ["slurmd", "slurmctld", "munged", "sleep infinity"])
def test_down_after_a_daemon_was_killed(victim: str, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    with Cluster.up(folder, ["n1"], make_machine=bare, gres=bare_gres) as cluster:
        cluster.exec("ctl", ["sbatch", "-o", "/dev/null", "--wrap", "sleep 100"])
        pids = _members(folder, victim)
        assert pids
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
    assert leftovers(folder) == []


def _members(folder: Path, command: str) -> list[int]:
    found = []
    for listed in Path("/proc").glob("[0-9]*/cgroup"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            line = (listed.parent / "cmdline").read_text().replace("\0", " ")
            if group_of(folder) in listed.read_text() and command in line:
                found.append(int(listed.parent.name))
    return found


def test_a_cluster_goes_with_the_process_that_wanted_it(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    words = [sys.executable, "-c", BARE_UP, str(folder)]
    with subprocess.Popen(words, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.kill()
    assert until(lambda: leftovers(folder) == []), leftovers(folder)


@pytest.mark.parametrize("after_s", [0.2, 0.6, 1.2])
def test_ctrl_c_during_up_leaves_nothing(after_s: float, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    with subprocess.Popen(
        [*CLI, "up", str(folder), "--node", "n1:a30-24gb"],
        cwd=CHECKOUT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        until(lambda: (folder / STATE).exists())
        time.sleep(after_s)
        process.send_signal(signal.SIGINT)
    if process.returncode == 0:  # it was up already
        down(folder)
    assert leftovers(folder) == []


def test_up_killed_half_way_is_cleaned_by_down(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    with subprocess.Popen(
        [*CLI, "up", str(folder), "--node", "n1:a30-24gb"], cwd=CHECKOUT, stderr=subprocess.DEVNULL
    ) as process:
        until(lambda: (folder / "nodes/ctl/root/run/munge").exists())
        process.kill()
    assert subprocess.run([*CLI, "down", str(folder)], cwd=CHECKOUT).returncode == 0
    assert leftovers(folder) == []


def test_a_cluster_that_fails_to_come_up_leaves_nothing(tmp_path: Path) -> None:
    wrong = {"SelectType": "select/nothing"}
    with (
        pytest.raises(ClusterError),
        Cluster.up(tmp_path / "c", ["n1"], make_machine=bare, gres=bare_gres, settings=wrong),
    ):
        pytest.fail("no slurmctld starts with that")
    assert leftovers(tmp_path / "c") == []


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(ClusterError, match="not empty"), Cluster.up(tmp_path, ["n1"]):
        pytest.fail("that folder is not a cluster's")
    with pytest.raises(ClusterError, match="holds no cluster"):
        down(tmp_path)
    assert (tmp_path / "mine").read_text() == "precious"


def test_it_runs_where_neither_devices_nor_programs_may_be_used(tmp_path: Path) -> None:
    # As on a /tmp that is a tmpfs of systemd's, and stricter.
    mounted = f"mount -t tmpfs -o nodev,noexec,nosuid tmpfs {tmp_path}"
    cli = f"{sys.executable} -m tests.cluster"
    folder = tmp_path / "c"
    script = f"""\
        {mounted} && {cli} up {folder} --slurm 24.11 --node n1:a30-24gb=2g.12gb &&
        {cli} exec {folder} n1 srun --gres=gpu:1 {" ".join(reach.PROBE)} && {cli} down {folder}
    """
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
    done = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (answer,) = reach.parse(done.stdout)
    assert "/dev/nvidia0" in answer.allowed


def test_exec_from_another_process_gives_the_exit_code(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    with Cluster.up(folder, ["n1"], make_machine=bare, gres=bare_gres):
        words = [*CLI, "exec", str(folder), "n1", "sh", "-c", "hostname; exit 7"]
        done = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True)
        assert (done.stdout, done.returncode) == ("n1\n", 7)
        with pytest.raises(ClusterError, match="no node n9"):
            Machines.read(folder).exec("n9", ["true"])


def test_down_means_the_folder_that_it_was_told(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    words = [*CLI, "down", str(tmp_path)]
    done = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"tests.cluster: {tmp_path} holds no cluster: nothing was touched\n"


def test_a_machine_that_is_gone_says_what_to_do(tmp_path: Path) -> None:
    with Cluster.up(tmp_path / "c", ["n1"], make_machine=bare, gres=bare_gres) as cluster:
        os.kill(cluster.holders["n1"].pid, signal.SIGKILL)
        until(lambda: not cluster.holders["n1"].alive())
        with pytest.raises(ClusterError, match="`down` the cluster"):
            cluster.exec("n1", ["true"])
