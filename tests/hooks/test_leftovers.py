"""Real processes that have a slice's device node open: who is ended, and who is not.

Nodes without a driver cannot be opened as CUDA does it (ENXIO), so the processes hold them by
O_PATH: to /proc that is the same.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hooks.fakenode import FakeNode

HOLD = """\
import os, sys
held = [os.open(path, os.O_PATH) for path in sys.argv[2:]]
os.setresgid(*[int(sys.argv[1])] * 3)
os.setresuid(*[int(sys.argv[1])] * 3)
print("ready", flush=True)
sys.stdin.read()
"""
UID = 61001  # nobody's: epilogs of clusters under test look at these processes too


class Holder:
    """A process with device nodes open; seen on `node` as in its /proc, in a cgroup of choice."""

    def __init__(
        self, node: FakeNode, *paths: str, uid: int = UID, cgroup: str = "/", hidden: bool = False
    ) -> None:
        self.node = node
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", HOLD, str(uid), *(f"{node.root}{path}" for path in paths)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout
        assert self.process.stdout.readline() == b"ready\n"
        self.folder = node.root / f"proc/{self.process.pid}"
        self.folder.mkdir()
        real = Path(f"/proc/{self.process.pid}")
        for name in ("fd", "stat", "status", "exe", "cmdline"):
            (self.folder / name).symlink_to(real / name)
        # Of a process that forbade core dumps (PR_SET_DUMPABLE), /proc is root's.
        os.chown(self.folder, 0 if hidden else uid, 0)
        self.cgroup(cgroup)

    def cgroup(self, path: str) -> None:
        (self.folder / "cgroup").write_text(f"5:devices:{path}\n")

    @property
    def lives(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()
        shutil.rmtree(self.folder)


@pytest.fixture
def hold(node: FakeNode) -> Iterator[Callable[..., Holder]]:
    holders = []

    def start(*paths: str, **options: object) -> Holder:
        holders.append(Holder(node, *paths, **options))  # type: ignore[arg-type]
        return holders[-1]

    yield start
    for holder in holders:
        holder.stop()


Hold = Callable[..., Holder]


def files(node: FakeNode, gres_index: int) -> list[str]:
    return [file["path"] for file in node.gres[gres_index]["files"]]


def epilog(node: FakeNode, job_id: int = 7, gpus: str = "1") -> int:
    return node.epilog(job_id, gpus, SLURM_JOB_UID=str(UID))


def test_a_leftover_is_ended_and_counted(node: FakeNode, hold: Hold) -> None:
    left = hold(*files(node, 1))
    assert node.prolog(SLURM_JOB_UID=str(UID)) == 0
    assert epilog(node) == 0
    assert not left.lives
    assert node.records()[0]["leftovers"] == 1
    assert "ended=1" in node.logged()[-1]


def test_no_leftover_is_counted_as_none(node: FakeNode) -> None:
    assert node.prolog() == node.epilog() == 0
    assert node.records()[0]["leftovers"] == 0


def test_one_that_hides_behind_its_core_dumps(node: FakeNode, hold: Hold) -> None:
    left = hold(*files(node, 1), hidden=True)
    assert epilog(node) == 0
    assert not left.lives


@pytest.mark.parametrize(
    "cgroup",
    [
        "/slurm/uid_61001/job_8/step_0/task_0",
        "/system.slice/slurmstepd.scope/job_8/step_0/user/task_0",
        "/system.slice/n1_slurmstepd.scope/s5K1KKYAYG5D00/step_0/user",
        # Of that number, but not in this machine's folder of the job: a container's, say.
        "/elsewhere/slurm/uid_61001/job_7/step_0",
    ],
)
def test_another_job_of_the_same_user_is_left_alone(
    node: FakeNode, hold: Hold, cgroup: str
) -> None:
    other = hold(*files(node, 1), cgroup=cgroup)
    assert epilog(node) == 0
    assert other.lives


def test_other_slices_of_the_same_user_are_left_alone(node: FakeNode, hold: Hold) -> None:
    neighbour = hold(*files(node, 2))
    parent_only = hold("/dev/nvidia0")
    assert epilog(node) == 0
    assert neighbour.lives
    assert parent_only.lives


def test_another_compute_instance_of_the_gpu_instance_is_left_alone(
    node: FakeNode, hold: Hold
) -> None:
    neighbour = hold(*files(node, 4))
    assert epilog(node, gpus="3") == 0
    assert neighbour.lives


def test_root_s_daemons_and_other_users_are_left_alone(node: FakeNode, hold: Hold) -> None:
    daemon, stranger = hold(*files(node, 1), uid=0), hold(*files(node, 1), uid=UID + 1)
    assert epilog(node) == 0
    assert node.epilog(8, SLURM_JOB_UID="0") == 0
    assert daemon.lives
    assert stranger.lives


def test_a_process_in_the_job_s_own_cgroup_is_ended(node: FakeNode, hold: Hold) -> None:
    left = hold(*files(node, 1), uid=0, cgroup=f"/slurm/uid_{UID}/job_7/step_0")
    step = node.root / f"sys/fs/cgroup/devices/slurm/uid_{UID}/job_7/step_0"
    step.mkdir(parents=True)
    (step / "cgroup.procs").write_text(f"{left.process.pid}\n")
    assert epilog(node) == 0
    assert not left.lives


def test_a_whole_gpu(node: FakeNode, hold: Hold) -> None:
    left, other = hold("/dev/nvidia2"), hold("/dev/nvidia1")
    assert epilog(node, gpus="5") == 0
    assert (left.lives, other.lives) == (False, True)


def test_one_that_looks_like_another_by_now_is_left_alone(node: FakeNode, hold: Hold) -> None:
    left = hold(*files(node, 1))
    stat = (left.folder / "stat").read_text()
    fields = stat.rpartition(")")[2].split()
    (left.folder / "stat").unlink()
    (left.folder / "stat").write_text(f"1 (x) {' '.join(['Z', *fields[1:]])}\n")
    assert epilog(node) == 0
    assert left.lives  # a zombie is nobody


def test_policy_log_leaves_it(node: FakeNode, hold: Hold) -> None:
    left = hold(*files(node, 1))
    node.settings('leftovers = "log"')
    assert epilog(node) == 0
    assert left.lives
    assert "left alone" in node.logged()[-1]


def test_policy_off_does_not_look(node: FakeNode, hold: Hold) -> None:
    left = hold(*files(node, 1))
    node.settings('leftovers = "off"')
    assert node.prolog() == epilog(node) == 0
    assert left.lives
    assert node.records()[0]["leftovers"] is None


def test_one_that_stays_drains_the_node(node: FakeNode, hold: Hold) -> None:
    left = hold(*files(node, 1))
    node.settings("leftover_wait_s = 0")
    # What is there looks as before after its end: a process that no signal ends.
    shutil.copytree(f"/proc/{left.process.pid}/fd", left.folder / "kept", symlinks=True)
    kept = (left.folder / "stat").read_text()
    for name in ("stat", "fd"):
        (left.folder / name).unlink()
    (left.folder / "stat").write_text(kept)
    (left.folder / "kept").rename(left.folder / "fd")
    assert node.prolog(SLURM_JOB_UID=str(UID)) == 0
    assert epilog(node) == 1
    assert "stayed" in node.logged()[-1]
    assert node.bindings() == []
    assert len(node.records()) == 1


@pytest.mark.parametrize(
    ("policy", "code", "lives"),
    [("log", 0, True), ("drain", 1, True), ("kill", 0, False), ("off", 0, True)],
)
def test_strangers_before_a_job(
    node: FakeNode, hold: Hold, policy: str, code: int, lives: bool
) -> None:
    stranger = hold(*files(node, 1), uid=UID + 1)
    node.settings(f'foreign_process = "{policy}"')
    assert node.prolog(SLURM_JOB_UID=str(UID)) == code
    assert stranger.lives is lives
    assert node.open_records() == ([] if code else ["7.json"])


def test_policy_kill_spares_another_job_and_refuses(node: FakeNode, hold: Hold) -> None:
    other = hold(*files(node, 1), cgroup="/slurm/uid_61001/job_8/step_0")
    node.settings('foreign_process = "kill"\nleftover_wait_s = 0')
    assert node.prolog(SLURM_JOB_UID=str(UID)) == 1
    assert other.lives


def test_a_leftover_on_a_slice_that_slurm_did_not_name(node: FakeNode, hold: Hold) -> None:
    # Of two types Slurm tells the hooks the last: the job had index 0 too.
    left, stranger = hold(*files(node, 0)), hold(*files(node, 0), uid=UID + 1)
    node.settings('foreign_process = "kill"')
    assert node.prolog(SLURM_JOB_UID=str(UID)) == 0
    assert epilog(node) == 0
    assert (left.lives, stranger.lives) == (False, True)
    (record,) = node.records()
    assert (record["complete"], record["leftovers"]) == (False, 1)


def test_a_slice_that_another_job_has_is_not_the_unnamed_one(node: FakeNode, hold: Hold) -> None:
    other = hold(*files(node, 0))
    assert node.prolog(8, "0", SLURM_JOB_UID=str(UID + 1)) == 0
    assert node.prolog(SLURM_JOB_UID=str(UID)) == epilog(node) == 0
    assert other.lives


def test_whose_an_unnamed_slice_was_is_not_guessed(node: FakeNode, hold: Hold) -> None:
    other = hold(*files(node, 0))
    assert node.prolog(8, "2", SLURM_JOB_UID=str(UID)) == 0  # it may have index 0 as well
    assert node.prolog(SLURM_JOB_UID=str(UID)) == epilog(node) == 0
    assert other.lives
    assert epilog(node, 8, "2") == 0
    assert not other.lives


def test_a_job_whose_slices_are_all_known_had_no_others(node: FakeNode, hold: Hold) -> None:
    other = hold(*files(node, 0))
    assert node.prolog(SLURM_JOB_UID=str(UID)) == 0
    path = node.run / "jobs/7.json"
    found = json.loads(path.read_text())
    path.write_text(json.dumps({**found, "record": {**found["record"], "complete": True}}))
    assert epilog(node) == 0
    assert other.lives
