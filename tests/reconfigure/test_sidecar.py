"""The lock beside a file, and what it remembers."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from slurm_mig.errors import Refused
from slurm_mig.reconfigure.sidecar import Ledger, locked, sidecar


def hold(path: str, held: "multiprocessing.synchronize.Event") -> None:
    """Have the lock until killed."""
    with locked([path], 1):
        held.set()
        time.sleep(60)


def test_it_lies_beside_the_file_for_root_alone(tmp_path: Path) -> None:
    with locked([str(tmp_path / "slurm.conf")], 1):
        found = (tmp_path / ".slurm.conf.slurm-mig").stat()
    assert (found.st_uid, found.st_mode & 0o777) == (0, 0o600)


def test_what_was_written_is_remembered(tmp_path: Path) -> None:
    path = str(tmp_path / "x")
    with locked([path], 1) as ledger:
        assert not ledger.knows(path, "a")
        ledger.add(path, "a", "b")
        ledger.add("/other", "c")
        assert ledger.knows(path, "a")
    with locked([path], 1) as ledger:
        assert ledger.knows(path, "b")
        assert ledger.knows("/other", "c")
        assert not ledger.knows(path, "c")


def test_every_file_under_the_lock_remembers(tmp_path: Path) -> None:
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    with locked([one, two], 1) as ledger:
        ledger.add(one, "a")
    with locked([two], 1) as ledger:
        assert ledger.knows(one, "a")


def test_it_forgets_what_is_long_ago(tmp_path: Path) -> None:
    path = str(tmp_path / "x")
    with locked([path], 1) as ledger:
        for number in range(100):
            ledger.add(path, str(number))
        assert not ledger.knows(path, "0")
        assert ledger.knows(path, "99")
    assert sidecar(path).stat().st_size < 2000


def test_one_that_is_written_again_is_new(tmp_path: Path) -> None:
    path = str(tmp_path / "x")
    with locked([path], 1) as ledger:
        for number in range(100):
            ledger.add(path, "often", str(number))
        assert ledger.knows(path, "often")


def test_the_same_path_twice_is_one_lock(tmp_path: Path) -> None:
    with locked([str(tmp_path / "x")] * 2, 1) as ledger:
        assert isinstance(ledger, Ledger)


def test_a_lock_dies_with_its_holder(tmp_path: Path) -> None:
    path = str(tmp_path / "x")
    context = multiprocessing.get_context("fork")
    held = context.Event()
    process = context.Process(target=hold, args=(path, held))
    process.start()
    assert held.wait(20)
    with pytest.raises(Refused, match="another slurm-mig"), locked([path], 0.1):
        pass
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    with locked([path], 1):
        pass


def test_a_lock_is_given_back_after_an_error(tmp_path: Path) -> None:
    path = str(tmp_path / "x")
    with pytest.raises(RuntimeError), locked([path], 1):
        raise RuntimeError
    with locked([path], 0.1):
        pass


def test_a_second_lock_that_cannot_be_had_frees_the_first(tmp_path: Path) -> None:
    one, two = str(tmp_path / "one"), str(tmp_path / "none/two")
    with pytest.raises(Refused, match="No such file"), locked([one, two], 0.1):
        pass
    with locked([one], 0.1):
        pass


@pytest.mark.parametrize("kind", ["fifo", "hard link", "another's"])
def test_what_is_no_file_of_ours(tmp_path: Path, kind: str) -> None:
    place = sidecar(str(tmp_path / "x"))
    if kind == "fifo":
        os.mkfifo(place)
    else:
        place.touch()
    if kind == "hard link":
        (tmp_path / "other").hardlink_to(place)
    if kind == "another's":
        os.chown(place, 1234, 1234)
    with pytest.raises(Refused, match="no file of root's alone"), locked([str(tmp_path / "x")], 1):
        pass
