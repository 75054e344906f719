"""What is wanted of nodes, in a folder that others see too: whole, believed by nobody, no links."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slurm_mig.errors import SlurmMigError, UsageError
from slurm_mig.reconfigure.reboot import desired
from slurm_mig.reconfigure.reboot.desired import NotReadable, Order, Wanted

FOLDER = "/shared/desired"
RUN, ORDER = "0a1b2c3d", "4e5f6071"
WANTED = Wanted(RUN, "all-1g.10gb", "version: v1\n# Ä \udcff\n", ("n1", "n2"), 12.0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "shared").mkdir(mode=0o755)
    return tmp_path


def test_what_a_run_wants_is_read_as_it_was_written(root: Path) -> None:
    desired.write_wanted(root, FOLDER, WANTED)
    assert desired.wanted_by(root, FOLDER, RUN) == WANTED._replace(time=0.0)
    file = root / f"shared/desired/{RUN}.json"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o644, 0o755)
    assert json.loads(file.read_text())["version"] == 1


@pytest.mark.parametrize("smoke", [None, True, False])
@pytest.mark.parametrize("rollback", [False, True])
def test_so_is_all_else_that_was_chosen(root: Path, smoke: bool | None, rollback: bool) -> None:
    label, text = ("", "") if rollback else (WANTED.label, WANTED.text)
    wanted = WANTED._replace(label=label, text=text, rollback=rollback, smoke=smoke)
    desired.write_wanted(root, FOLDER, wanted)
    assert desired.wanted_by(root, FOLDER, RUN) == wanted._replace(time=0.0)
    assert wanted.what == ("what was before" if rollback else "all-1g.10gb")


@pytest.mark.parametrize(
    "order",
    [
        Order(RUN, ORDER),
        Order(RUN, ORDER, "a fan is loud", "1g.10gb:7,3g.40gb:1", 1_800_000_000),
    ],
)
def test_an_order_is_read_as_it_was_written(root: Path, order: Order) -> None:
    desired.write_order(root, FOLDER, "n1", order)
    assert desired.order_of(root, FOLDER, "n1") == order
    assert desired.order_of(root, FOLDER, "n2") is None


def test_the_last_order_counts(root: Path) -> None:
    for order in (Order(RUN, ORDER), Order("ffffffff", "00000000")):
        desired.write_order(root, FOLDER, "n1", order)
    assert desired.order_of(root, FOLDER, "n1") == Order("ffffffff", "00000000")


def test_without_a_folder_nothing_is_wanted(root: Path) -> None:
    assert desired.order_of(root, FOLDER, "n1") is None
    with pytest.raises(NotReadable, match="is not there"):
        desired.wanted_by(root, FOLDER, RUN)


def test_a_run_takes_back_what_is_its_own(root: Path) -> None:
    desired.write_order(root, FOLDER, "n1", Order(RUN, ORDER))
    desired.withdraw(root, FOLDER, "n1", "ffffffff")
    assert desired.order_of(root, FOLDER, "n1") is not None
    desired.withdraw(root, FOLDER, "n1", RUN)
    desired.withdraw(root, FOLDER, "n1", RUN)
    assert desired.order_of(root, FOLDER, "n1") is None


def test_a_run_that_is_over_leaves_nothing(root: Path) -> None:
    desired.write_wanted(root, FOLDER, WANTED)
    for node in ("n1", "n2"):
        desired.write_order(root, FOLDER, node, Order(RUN, ORDER))
    desired.forget(root, FOLDER, RUN, ("n1", "n2", "n3"))
    assert not list(root.rglob("*.json"))


@pytest.mark.parametrize("name", ["", "n[1-2]", "../n1", "a/b", ".n1", "n1 n2", "--x"])
def test_what_is_no_name_is_no_file(root: Path, name: str) -> None:
    with pytest.raises(UsageError):
        desired.write_order(root, FOLDER, name, Order(RUN, ORDER))
    with pytest.raises(UsageError):
        desired.order_of(root, FOLDER, name)
    assert not list(root.rglob("*.json"))


@pytest.mark.parametrize("run", ["", "../x", "0A1B2C3D", "0a1b2c3", "0a1b2c3d4"])
def test_what_is_no_id_is_no_file(root: Path, run: str) -> None:
    with pytest.raises(UsageError):
        desired.write_wanted(root, FOLDER, WANTED._replace(run=run))
    for order in (Order(run, ORDER), Order(RUN, run)):
        with pytest.raises(UsageError):
            desired.write_order(root, FOLDER, "n1", order)
    with pytest.raises(UsageError):
        desired.wanted_by(root, FOLDER, run)


def order_file(root: Path) -> Path:
    desired.write_order(root, FOLDER, "n1", Order(RUN, ORDER))
    return root / "shared/desired/nodes/n1.json"


def as_a_link(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to("elsewhere")


def as_a_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def in_a_folder_of_others(file: Path) -> None:
    file.parent.chmod(0o777)


def in_a_linked_folder(file: Path) -> None:
    file.parent.rename(file.parent.with_name("elsewhere"))
    file.parent.symlink_to("elsewhere")


SPOILT: dict[str, Callable[[Path], Any]] = {
    "a link": as_a_link,
    "a folder that others write to": in_a_folder_of_others,
    "a link to a folder": in_a_linked_folder,
    "a file that others write to": lambda file: file.chmod(0o666),
    "somebody else's": lambda file: os.chown(file, 65534, 65534),
    "a FIFO": as_a_fifo,
    "too long": lambda file: file.write_text(" " * (1 << 22)),
    "not JSON": lambda file: file.write_text("{"),
    "no object": lambda file: file.write_text("[]"),
    "deep": lambda file: file.write_text("[" * 100_000),
}


@pytest.mark.parametrize("how", SPOILT)
def test_what_cannot_be_believed_is_not_nothing(root: Path, how: str) -> None:
    SPOILT[how](order_file(root))
    with pytest.raises(NotReadable, match=r"n1|nodes"):
        desired.order_of(root, FOLDER, "n1")


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("version", 2, "another slurm-mig"),
        ("run", "../../etc", "is no id"),
        ("run", None, "run"),
        ("order", 7, "order"),
        ("theirs", ["x"], "theirs"),
        ("theirs", "a\nb", "theirs"),
        ("before", {"a": 1}, "before"),
        ("started", -1, "started"),
        ("node", "n2", "this is n1"),
    ],
)
def test_an_order_that_is_wrong_is_named(root: Path, key: str, value: object, why: str) -> None:
    file = order_file(root)
    file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))
    with pytest.raises(NotReadable, match=why):
        desired.order_of(root, FOLDER, "n1")


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("config", None, "is no text"),
        ("label", "", "label"),
        ("run", "ffffffff", "is not 0a1b2c3d"),
        ("nodes", [1], "nodes"),
        ("version", "1", "version"),
    ],
)
def test_a_wish_that_is_wrong_is_named(root: Path, key: str, value: object, why: str) -> None:
    desired.write_wanted(root, FOLDER, WANTED)
    file = root / f"shared/desired/{RUN}.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))
    with pytest.raises(NotReadable, match=why):
        desired.wanted_by(root, FOLDER, RUN)


def test_nothing_is_written_where_others_write(root: Path) -> None:
    (root / "shared").chmod(0o777)
    with pytest.raises(SlurmMigError, match="not root's alone"):
        desired.write_wanted(root, FOLDER, WANTED)
    with pytest.raises(SlurmMigError, match="not root's alone"):
        desired.write_order(root, FOLDER, "n1", Order(RUN, ORDER))
    assert not list(root.rglob("*.json"))


def test_a_disk_that_cannot_be_written_to_is_named(root: Path) -> None:
    (root / "shared/desired").write_text("a file")
    with pytest.raises(SlurmMigError, match="see to desired_dir"):
        desired.write_wanted(root, FOLDER, WANTED)
