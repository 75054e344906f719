"""The record of a publication: on the disk before the first write, believed only when whole."""

from pathlib import Path

import pytest

from slurm_mig.errors import JournalError
from slurm_mig.reconfigure.publication import Change, Publication
from slurm_mig.reconfigure.publication_files import FOLDER, begin, begun, commit, look, rewrite

ONE = Publication(None, (), None, (), (Change("/etc/slurm/gres.conf", None, "é\udcff\n"),))
TWO = ONE._replace(changes=())


def record(root: Path) -> Path:
    return root / FOLDER.lstrip("/") / "r.json"


def test_from_begin_to_commit(tmp_path: Path) -> None:
    assert look(tmp_path, "r") is None
    begin(tmp_path, "r", ONE)
    assert look(tmp_path, "r") == begun(tmp_path, "r") == ONE
    assert look(tmp_path, "other") is None
    rewrite(tmp_path, "r", TWO)
    assert look(tmp_path, "r") == TWO
    commit(tmp_path, "r")
    assert look(tmp_path, "r") is None
    with pytest.raises(JournalError, match="no such publication"):
        begun(tmp_path, "r")


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    begin(tmp_path, "r", ONE)
    assert record(tmp_path).stat().st_mode & 0o777 == 0o600


def test_a_name_is_free_again_after_the_commit(tmp_path: Path) -> None:
    begin(tmp_path, "r", ONE)
    with pytest.raises(JournalError, match="not at its end"):
        begin(tmp_path, "r", TWO)
    commit(tmp_path, "r")
    begin(tmp_path, "r", TWO)
    assert look(tmp_path, "r") == TWO


def test_a_record_that_others_may_write_is_not_believed(tmp_path: Path) -> None:
    begin(tmp_path, "r", ONE)
    record(tmp_path).chmod(0o666)
    with pytest.raises(JournalError, match="not root's alone"):
        look(tmp_path, "r")


def test_a_record_that_is_a_link_is_not_believed(tmp_path: Path) -> None:
    begin(tmp_path, "r", ONE)
    record(tmp_path).rename(tmp_path / "x")
    record(tmp_path).symlink_to(tmp_path / "x")
    with pytest.raises(JournalError):
        look(tmp_path, "r")


def test_a_folder_that_others_may_write_is_not_written_to(tmp_path: Path) -> None:
    begin(tmp_path, "r", ONE)
    record(tmp_path).parent.chmod(0o777)
    with pytest.raises(JournalError, match="not root's alone"):
        begin(tmp_path, "s", ONE)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "{}", '{"version": 9}', '{"version": 1, "conf": null}', "[" * 100_000],
)
def test_a_record_that_is_none(tmp_path: Path, text: str) -> None:
    begin(tmp_path, "r", ONE)
    record(tmp_path).write_text(text)
    with pytest.raises(JournalError):
        look(tmp_path, "r")
