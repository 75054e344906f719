"""Sums over the records, read as they grow."""

import json
import random
from pathlib import Path

import pytest

from slurm_mig.usage.metrics.sources import Tally
from slurm_mig.usage.metrics.tally import USAGE, TallyReader, added
from tests.usage.made import Record, mig, record

NOVEMBER, DECEMBER = 1_795_000_000.0, 1_796_900_000.0


def line(**changes: object) -> bytes:
    return json.dumps(record(7, mig(0, 9), **changes)).encode() + b"\n"  # type: ignore[arg-type]


class Node:
    """A node's records, and the clock of who reads them."""

    def __init__(self, root: Path) -> None:
        self.folder = root / USAGE.lstrip("/")
        self.folder.mkdir(parents=True)
        self.now = NOVEMBER
        self.reader = TallyReader(root, lambda: self.now)
        self.root = root

    def append(self, data: bytes, month: str = "2026-11") -> None:
        with (self.folder / f"{month}.jsonl").open("ab") as file:
            file.write(data)

    def restarted(self) -> TallyReader:
        return TallyReader(self.root, lambda: self.now)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_it_grows_with_the_file(node: Node) -> None:
    assert node.reader.tally() == Tally()
    node.append(line(leftovers=2) + line(leftovers=None))
    assert node.reader.tally() == Tally(records=2, leftovers=2, unknown=2)
    node.append(line(leftovers=1, device_check={"result": "exact"}))
    assert node.reader.tally() == Tally(records=3, leftovers=3, exact=1, unknown=2)
    assert node.reader.tally() == node.restarted().tally()


def test_a_half_line_counts_when_it_is_whole(node: Node) -> None:
    whole = line(leftovers=4)
    node.append(whole[:100])
    assert node.reader.tally() == Tally()
    node.append(whole[100:] + whole[:1])
    assert node.reader.tally() == Tally(records=1, leftovers=4, unknown=1)
    node.append(whole[1:])
    assert node.reader.tally() == Tally(records=2, leftovers=8, unknown=2)


def test_a_new_month_begins_at_0(node: Node) -> None:
    node.append(line())
    assert node.reader.tally() == Tally(records=1, unknown=1)
    node.now = DECEMBER
    assert node.reader.tally() == Tally()
    node.append(line(), "2026-12")
    assert node.reader.tally() == Tally(records=1, unknown=1)


def test_a_file_that_was_replaced_or_cut_is_read_anew(node: Node) -> None:
    node.append(line() * 3)
    assert node.reader.tally() == Tally(records=3, unknown=3)
    file = node.folder / "2026-11.jsonl"
    file.write_bytes(line())
    assert node.reader.tally() == Tally(records=1, unknown=1)
    file.rename(node.folder / "old")
    node.append(line() * 2)
    assert node.reader.tally() == Tally(records=2, unknown=2)


def test_what_cannot_be_looked_at_is_unknown_and_what_is_not_there_is_none(node: Node) -> None:
    (node.folder / "2026-11.jsonl").symlink_to("/etc/passwd")
    assert node.reader.tally() is None
    node.folder.chmod(0o777)
    assert node.reader.tally() is None
    assert TallyReader(node.root / "nowhere").tally() == Tally()


@pytest.mark.parametrize(
    "bad",
    [
        b"{",
        b"3",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 5000,
        b'{"version": 2}',
        b'{"version": 1}',
        b'{"version": 1, "leftovers": "many", "slices": []}',
        b'{"version": 1, "leftovers": 0, "slices": [3]}',
    ],
)
def test_a_damaged_line_counts_for_nothing(node: Node, bad: bytes) -> None:
    assert added(Tally(), bad) == Tally()
    node.append(bad + b"\n" + line())
    assert node.reader.tally() == Tally(records=1, unknown=1)


def test_what_was_found_when_somebody_looked(node: Node) -> None:
    def of(check: object) -> Tally:
        return added(Tally(), line(device_check=check))

    assert of({"result": "exact"}).exact == of({"result": "differs"}).differs == 1
    assert of({"result": "unknown"}).unknown == of(None).unknown == of("x").unknown == 1
    moved: Record = {**mig(0, 9), "repartitioned": True}
    assert added(Tally(), json.dumps(record(7, moved, mig(0, 8))).encode()).repartitioned == 1


def test_in_whatever_pieces_it_comes(node: Node) -> None:
    chance = random.Random(7)
    data = b"".join(line(leftovers=chance.randrange(5)) for _ in range(40))
    at = 0
    while at < len(data):
        size = chance.randrange(1, 3000)
        node.append(data[at : at + size])
        at += size
        before = node.reader.tally()
        assert before == node.restarted().tally()
    assert before is not None
    assert before.records == 40
