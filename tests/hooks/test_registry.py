"""The registry under many hooks at once, and under one that does not let go."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from slurm_mig.errors import HookError
from slurm_mig.hooks import registry
from slurm_mig.hooks.registry import Registry, wait_lock
from tests.hooks.fakenode import FakeNode


def children(count: int, act: Callable[[int], int]) -> list[int]:
    """The exit codes of `act(0..count)`, all running at once in processes of their own."""
    pids = []
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            code = 99
            try:
                code = act(number)
            finally:
                os._exit(code)
        pids.append(pid)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def test_of_many_jobs_at_once_one_gets_the_slice(memory: Path) -> None:
    node = FakeNode(memory / "n")
    everyone_lives(node, range(100, 116))
    codes = children(16, lambda number: node.prolog(100 + number))
    assert sorted(codes) == [0] + [1] * 15
    assert len(node.open_records()) == 1


def everyone_lives(node: FakeNode, job_ids: range) -> None:
    for job_id in job_ids:
        step = node.root / f"sys/fs/cgroup/devices/slurm/uid_1001/job_{job_id}/step_0"
        step.mkdir(parents=True)
        (step / "cgroup.procs").write_text("4242\n")


def test_many_epilogs_at_once_write_a_line_each(memory: Path) -> None:
    node = FakeNode(memory / "n")
    node.settings('foreign_process = "off"')
    for job_id in range(100, 140):
        assert node.prolog(job_id, str(job_id % 6)) == 0
    assert len(node.records()) == 34
    codes = children(80, lambda number: node.epilog(100 + number // 2, str(number // 2 % 6)))
    assert codes == [0] * 80
    assert sorted(record["job_id"] for record in node.records()) == list(range(100, 140))


def test_a_lock_that_is_kept_is_waited_for_with_an_end(
    node: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "LOCK_WAIT_S", 0.05)
    with (node.run / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert node.prolog() == 1
        assert "held by another process" in node.logged()[-1]
        assert node.epilog() == 0
    with (node.run / "lock").open() as one, (node.run / "lock").open() as other:
        wait_lock(one.fileno(), "x")
        with pytest.raises(HookError, match="x is held"):
            wait_lock(other.fileno(), "x")


@pytest.mark.parametrize("name", ["jobs", "bindings"])
def test_a_folder_that_is_a_link_is_not_entered(node: FakeNode, name: str) -> None:
    elsewhere = node.root / "elsewhere"
    elsewhere.mkdir()
    (node.run / name).symlink_to(elsewhere)
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        Registry(str(node.root))
    assert node.prolog() == 0  # the record is lost, not the job
    assert list(elsewhere.iterdir()) == []
