"""Folders of root's: their modes are what was asked for, whatever the umask of who makes them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slurm_mig.errors import HookError
from slurm_mig.system import rootfiles


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o027, 0o077, 0o777])
def test_a_folder_that_is_made_can_be_entered_by_whom_it_is_for(tmp_path: Path, mask: int) -> None:
    """A site's root may have a umask of 077; jobs read the map in /run/slurm-mig all the same."""
    with umask(mask):
        os.close(rootfiles.open_folder(str(tmp_path), "/run/slurm-mig", make=0o755))
        os.close(rootfiles.open_folder(str(tmp_path), "/run/slurm-mig/jobs", make=0o700))
    modes = [
        (tmp_path / path).stat().st_mode & 0o7777
        for path in ("run", "run/slurm-mig", "run/slurm-mig/jobs")
    ]
    assert modes == [0o755, 0o755, 0o700]


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o711)
    os.close(rootfiles.open_folder(str(tmp_path), "/run/slurm-mig", make=0o755))
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o711


def test_a_file_is_read_and_nothing_stays_open(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/found").write_bytes(b"text")
    before = sorted(Path("/proc/self/fd").iterdir())
    assert rootfiles.read_in(str(tmp_path), "/etc", "found", 4) == b"text"
    with pytest.raises(HookError, match="longer than 3 bytes"):
        rootfiles.read_in(str(tmp_path), "/etc", "found", 3)
    for path, name in (("/etc", "none"), ("/none", "found")):
        with pytest.raises(FileNotFoundError):
            rootfiles.read_in(str(tmp_path), path, name, 4)
    assert sorted(Path("/proc/self/fd").iterdir()) == before
