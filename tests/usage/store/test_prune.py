"""Old files go only where every line of them is in the database."""

import calendar
import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm_mig.errors import UsageError
from slurm_mig.usage.store.collect import collect
from slurm_mig.usage.store.database import Store, opened
from slurm_mig.usage.store.frames import Pruned
from slurm_mig.usage.store.prune import prune
from tests.usage.store.made import line

NOW = float(calendar.timegm((2026, 11, 24, 12, 0, 0)))


class Node:
    """A node's folder of records and a database beside it."""

    def __init__(self, root: Path, store: Store) -> None:
        self.root, self.store = root, store
        self.usage = root / "var/lib/slurm-mig/usage"
        self.usage.mkdir(parents=True)

    def write(self, month: str, text: bytes, *, known: bool = True) -> Path:
        """A month's file, collected or not."""
        file = self.usage / f"{month}.jsonl"
        file.write_bytes(text)
        if known:
            collect(self.store, [file])
        return file

    def prune(self, before: str = "2026-10", *, dry_run: bool = False) -> list[Pruned]:
        """What became of each file."""
        return list(prune(self.store, self.root, before, NOW, dry_run=dry_run))

    def why(self) -> str:
        """Why the only file stays."""
        (one,) = self.prune()
        assert one.why is not None
        assert (self.usage / one.file).exists()
        return one.why


@pytest.fixture
def node(tmp_path: Path, memory: Path) -> Iterator[Node]:
    with opened(Path("/"), f"sqlite:///{memory}/a.db", make=True) as store:
        yield Node(tmp_path, store)


def test_what_was_collected_goes(node: Node) -> None:
    text = line(1) + b"rubbish\n" + line(2)
    old, new = node.write("2026-08", text), node.write("2026-10", line(3))
    assert node.prune(dry_run=True) == [Pruned("2026-08.jsonl", len(text), None)]
    assert old.exists()
    assert node.prune() == [Pruned("2026-08.jsonl", len(text), None)]
    assert not old.exists()
    assert new.exists()
    assert node.prune() == []


def test_copies_that_were_collected_elsewhere_count(node: Node, tmp_path: Path) -> None:
    """It is the records that are looked for, not where they came from."""
    node.write("2026-08", line(1), known=False)
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(line(2) + line(1))
    collect(node.store, [copy])
    assert node.prune()[0].why is None


@pytest.mark.parametrize(
    "text",
    [
        line(1) + line(9),
        line(1) + line(2, user="eve"),  # another text than what the database has
        line(1) + line(2) + b"new rubbish\n",
    ],
)
def test_what_was_not_collected_stays(node: Node, text: bytes) -> None:
    file = node.write("2026-08", line(1) + line(2))
    file.write_bytes(text)
    number = text.count(b"\n")
    assert node.why() == (
        f"line {number} is not in {node.store.name}: run `slurm-mig usage collect`"
    )


def test_a_record_of_a_later_version_stays_until_it_can_be_read(node: Node) -> None:
    node.write("2026-08", line(1) + line(2, version=2))
    assert node.why().startswith("line 2 is not in")


def test_half_a_line_stays(node: Node) -> None:
    file = node.write("2026-08", line(1) + line(2)[:50])
    assert "half a line" in node.why()
    with file.open("ab") as out:
        out.write(b"\n")
    collect(node.store, [file])
    assert node.prune()[0].why is None


def test_rubbish_that_was_not_kept_stays(node: Node) -> None:
    node.write("2026-08", b"rubbish\n" * 1001)
    assert "is not in" in node.why()


def test_a_file_to_which_a_hook_adds_stays(node: Node) -> None:
    node.write("2026-08", line(1))
    with (node.usage / "lock").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        assert node.why() == "a hook writes records just now: run the same command again"
    assert node.prune()[0].why is None


def test_links_and_others_stay(node: Node, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(line(1))
    (node.usage / "2026-08.jsonl").symlink_to(elsewhere)
    assert node.why()
    (node.usage / "2026-08.jsonl").unlink()
    (node.usage / "2026-08.jsonl.gz").touch()
    assert node.prune() == []


def test_the_last_two_months_always_stay(node: Node) -> None:
    for before in ("2026-11", "2026-12", "9999-01"):
        with pytest.raises(UsageError, match="at most 2026-10"):
            node.prune(before)
    for before in ("2026", "2026-8", "august", "2026-08-01"):
        with pytest.raises(UsageError, match="write a month as 2026-10"):
            node.prune(before)


def test_a_node_without_records(node: Node) -> None:
    node.usage.rmdir()
    assert node.prune() == []
