"""A dynamic node's words: written before they are needed, believed only when whole."""

from pathlib import Path

import pytest

from slurm_mig.errors import JournalError
from slurm_mig.reconfigure.words import FOLDER, Words, keep, kept
from slurm_mig.slurm.dynamicconf import from_conf
from tests.hooks.killing import deaths

OLD = "CPUs=2 Feature=x Gres=gpu:3g.40gb:1"


def file(root: Path) -> Path:
    return root / FOLDER.lstrip("/") / "d1.json"


def test_kept_and_undone(tmp_path: Path) -> None:
    assert kept(tmp_path, "d1") is None
    words = Words(from_conf(OLD, "gpu:1g.10gb:7"), OLD)
    keep(tmp_path, "d1", words)
    assert kept(tmp_path, "d1") == Words("CPUs=2 Feature=x Gres=gpu:1g.10gb:7", OLD)
    assert kept(tmp_path, "d2") is None
    keep(tmp_path, "d1", Words(words.former, words.conf))
    found = kept(tmp_path, "d1")
    assert found is not None
    assert found.conf == OLD
    assert file(tmp_path).stat().st_mode & 0o777 == 0o600


def test_killed_at_any_line(tmp_path: Path) -> None:
    one, two = Words("a", ""), Words("b", "a")
    keep(tmp_path, "d1", one)
    for _ in deaths(lambda: lambda: keep(tmp_path, "d1", two), 2, ("words", "files")):
        assert kept(tmp_path, "d1") in (one, two)
        keep(tmp_path, "d1", one)


@pytest.mark.parametrize("node", ["", "../x", "a/b", "a b", "DEFAULT", "n[1-2]"])
def test_what_is_no_node(tmp_path: Path, node: str) -> None:
    with pytest.raises(JournalError, match="no name of a node"):
        keep(tmp_path, node, Words("", ""))
    with pytest.raises(JournalError, match="no name of a node"):
        kept(tmp_path, node)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "3", "{}", '{"version": 2}', '{"version": 1, "conf": 3, "former": ""}', "[" * 9999],
)
def test_what_was_not_written_by_us(tmp_path: Path, text: str) -> None:
    keep(tmp_path, "d1", Words("", ""))
    file(tmp_path).write_text(text)
    with pytest.raises(JournalError, match=r"d1\.json"):
        kept(tmp_path, "d1")


def test_what_others_may_have_written(tmp_path: Path) -> None:
    keep(tmp_path, "d1", Words("", ""))
    file(tmp_path).chmod(0o666)
    with pytest.raises(JournalError, match="not root's alone"):
        kept(tmp_path, "d1")
    file(tmp_path).parent.chmod(0o777)
    with pytest.raises(JournalError, match="not root's alone"):
        keep(tmp_path, "d1", Words("", ""))
