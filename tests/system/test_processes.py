"""Searches in the real /proc, by real descriptors."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm_mig.system.processes import Search

ZERO, FULL = ("/dev/zero", 1, 5), ("/dev/full", 1, 7)
HOLD = """\
import os, sys
held = [os.open(path, os.O_RDONLY) for path in sys.argv[1:]]
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def both() -> Iterator[int]:
    """The pid of a process that has /dev/zero and /dev/full open."""
    command = [sys.executable, "-I", "-c", HOLD, "/dev/zero", "/dev/full"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
        process.kill()


def numbers(*devices: tuple[str, int, int]) -> set[int]:
    return {os.makedev(major, minor) for _, major, minor in devices}


def test_which_devices_it_has_open(both: int) -> None:
    assert Search("/", (ZERO, FULL)).held(both) == numbers(ZERO, FULL)
    assert Search("/", (FULL,)).held(both) == numbers(FULL)
    assert Search("/", (("/dev/zero", 1, 9),)).held(both) == set()
    assert Search("/", (FULL,)).holds(both)


def test_everybody_but_ourselves_is_looked_at(both: int) -> None:
    search = Search("/", (FULL,))
    pids = set(search.pids(30))
    assert both in pids
    assert os.getpid() not in pids
    assert not search.timed_out


def test_a_look_has_an_end() -> None:
    search = Search("/", (FULL,))
    assert list(search.pids(-1)) == []
    assert search.timed_out


def test_one_that_is_gone_is_told_apart_from_one_that_hides(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    search = Search(str(tmp_path), (FULL,))
    with pytest.raises(FileNotFoundError):
        search.held(77)
    (tmp_path / "proc/77").mkdir()
    (tmp_path / "proc/77/fd").symlink_to("fd")
    with pytest.raises(OSError, match="Too many levels"):
        search.held(77)
    assert not search.holds(77)
