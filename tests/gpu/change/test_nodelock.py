"""One change at a time, between real processes; and nothing of others' is followed."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slurm_mig.errors import Refused
from slurm_mig.gpu.change.nodelock import NAME, holder, only_one
from slurm_mig.system.epoch import FOLDER

HOLD = """\
import sys
from pathlib import Path
from slurm_mig.gpu.change.nodelock import only_one
with only_one(Path(sys.argv[1]), 10):
    print("ready", flush=True)
    sys.stdin.read()
"""

FILE = f"{FOLDER}/{NAME}"


@contextmanager
def held(root: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has the lock until the block ends."""
    command = [sys.executable, "-c", HOLD, str(root), *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


def lock(root: Path) -> Path:
    return root / FILE.lstrip("/")


def refused(root: Path, wait_s: float = 0) -> str:
    with pytest.raises(Refused) as error, only_one(root, wait_s):
        pass
    return str(error.value)


def test_it_is_made_and_had_again_and_again(tmp_path: Path) -> None:
    for _ in range(2):
        with only_one(tmp_path, 0):
            assert str(os.getpid()) in str(holder(tmp_path))
    assert holder(tmp_path) is None
    assert lock(tmp_path).stat().st_mode & 0o777 == 0o600


def test_a_second_is_told_who_is_at_it(tmp_path: Path) -> None:
    with held(tmp_path, "apply", "-f\x1b[2J") as process:
        told = refused(tmp_path)
        assert told.startswith(
            f"another change of this node's GPUs is under way: process {process.pid} ("
        )
        assert f", since {time.strftime('%Y-')}" in told
        assert told.endswith(": wait for its end")
        assert told.isprintable()


def test_who_waits_gets_it_when_the_other_has_ended(tmp_path: Path) -> None:
    with held(tmp_path) as process:
        killer = subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -9 {process.pid}"])
        with only_one(tmp_path, 20):
            assert str(os.getpid()) in str(holder(tmp_path))
        killer.wait()


def test_the_wait_has_an_end(tmp_path: Path) -> None:
    with held(tmp_path):
        begin = time.monotonic()
        refused(tmp_path, 0.3)
        assert 0.3 <= time.monotonic() - begin < 5


def test_a_killed_holder_s_name_is_nobody_s(tmp_path: Path) -> None:
    with held(tmp_path) as process:
        process.kill()
        process.wait()
        assert "pid" in lock(tmp_path).read_text()
        assert holder(tmp_path) is None
        with only_one(tmp_path, 0):
            pass


def test_a_child_does_not_inherit_it(tmp_path: Path) -> None:
    with only_one(tmp_path, 0):
        child = subprocess.Popen(["sleep", "30"])
    try:
        with only_one(tmp_path, 0):
            pass
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", "null", "{", '{"pid":"x"}', json.dumps({"pid": 1, "start": 2})]
)
def test_a_damaged_signature_is_no_answer(tmp_path: Path, text: str) -> None:
    with held(tmp_path):
        lock(tmp_path).write_text(text)
        assert holder(tmp_path) is None
        assert "a process that `fuser /run/slurm-mig/partition.lock` names" in refused(tmp_path)


@pytest.mark.parametrize("target", ["/etc/passwd", "nothing"])
def test_a_link_is_not_followed(tmp_path: Path, target: str) -> None:
    lock(tmp_path).parent.mkdir(parents=True)
    lock(tmp_path).symlink_to(target)
    assert "no link" in refused(tmp_path)
    assert not (lock(tmp_path).parent / "nothing").exists()


def test_another_name_of_a_file_is_not_written(tmp_path: Path) -> None:
    lock(tmp_path).parent.mkdir(parents=True)
    (tmp_path / "precious").write_text("keep")
    os.link(tmp_path / "precious", lock(tmp_path))
    assert "no file of root's alone" in refused(tmp_path)
    assert (tmp_path / "precious").read_text() == "keep"


def test_a_pipe_or_another_s_file_is_refused(tmp_path: Path) -> None:
    lock(tmp_path).parent.mkdir(parents=True)
    os.mkfifo(lock(tmp_path))
    assert "no file of root's alone" in refused(tmp_path)
    lock(tmp_path).unlink()
    lock(tmp_path).touch()
    os.chown(lock(tmp_path), 1001, 1001)
    assert "no file of root's alone" in refused(tmp_path)


def test_a_folder_that_others_may_write_is_refused(tmp_path: Path) -> None:
    lock(tmp_path).parent.mkdir(parents=True)
    lock(tmp_path).parent.chmod(0o777)
    assert "not root's alone" in refused(tmp_path)


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run/slurm-mig").symlink_to("../elsewhere")
    assert "no link" in refused(tmp_path)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_an_error_inside_lets_it_go(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), only_one(tmp_path, 0):
        raise ZeroDivisionError
    with only_one(tmp_path, 0):
        pass


def test_a_full_disk_takes_no_name_and_is_no_hindrance(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with only_one(tmp_path, 0):
        pass
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with only_one(tmp_path, 0):
            assert holder(tmp_path) is None
            assert "that `fuser /run/slurm-mig/partition.lock` names" in refused(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_read_only_folder_is_told_as_that(tmp_path: Path) -> None:
    (tmp_path / "run/slurm-mig").mkdir(parents=True)
    with mounted(tmp_path / "run/slurm-mig", "ro,mode=755"):
        assert refused(tmp_path) == f"{FILE}: Read-only file system: have it mounted writable"


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A small file system of its own there."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False
    )
    if done.returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_root_that_is_not_there(tmp_path: Path) -> None:
    assert refused(tmp_path / "none").endswith("file or directory: what --root names is not there")
