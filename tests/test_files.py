"""Atomic writes: complete or not at all, and never through a link."""

import os
import stat
from pathlib import Path

import pytest

from slurm_mig.files import under, write_atomic


def test_under_moves_an_absolute_path() -> None:
    assert under(Path("/tmp/x"), "/proc/devices") == Path("/tmp/x/proc/devices")
    assert under(Path("/"), "/proc/devices") == Path("/proc/devices")


def test_a_new_file_is_written_with_the_mode_asked(tmp_path: Path) -> None:
    path = tmp_path / "gres.conf"
    assert write_atomic(path, "a\n", mode=0o640)
    assert path.read_text() == "a\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["gres.conf"]


def test_equal_bytes_are_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "gres.conf"
    write_atomic(path, "a\n")
    before = path.stat()
    assert not write_atomic(path, "a\n")
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_an_existing_file_keeps_mode_and_owner(tmp_path: Path) -> None:
    path = tmp_path / "gres.conf"
    path.write_text("old\n")
    path.chmod(0o604)
    if os.geteuid() == 0:
        os.chown(path, 12, 34)
    owner = (path.stat().st_uid, path.stat().st_gid)
    assert write_atomic(path, "new\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    assert (path.stat().st_uid, path.stat().st_gid) == owner


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious\n")
    path = tmp_path / "gres.conf"
    path.symlink_to(victim)
    assert write_atomic(path, "new\n")
    assert victim.read_text() == "precious\n"
    assert not path.is_symlink()


def test_a_failed_write_leaves_the_former_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "gres.conf"
    path.mkdir()  # a folder cannot be replaced by a file
    with pytest.raises(OSError, match=r"gres\.conf"):
        write_atomic(path, "new\n")
    assert [entry.name for entry in tmp_path.iterdir()] == ["gres.conf"]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "none" / "gres.conf", "x")


def test_a_full_disk_leaves_the_former_file(tmp_path: Path) -> None:
    path = tmp_path / "gres.conf"
    write_atomic(path, "old\n")
    pid = os.fork()
    if pid == 0:  # a limit on file size is a full disk that needs no mount
        import resource
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4, 4))
        try:
            write_atomic(path, "much longer than four bytes\n")
        except OSError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert path.read_text() == "old\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["gres.conf"]


def test_the_draft_of_a_killed_writer_is_left_alone(tmp_path: Path) -> None:
    stale = tmp_path / f".gres.conf.{os.getpid()}.0"
    stale.write_text("half")
    assert write_atomic(tmp_path / "gres.conf", "new\n")
    assert stale.read_text() == "half"
    assert (tmp_path / "gres.conf").read_text() == "new\n"


def test_bytes_that_are_no_text_go_through(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert write_atomic(path, "a\udcff\n")
    assert path.read_bytes() == b"a\xff\n"
    assert not write_atomic(path, "a\udcff\n")
