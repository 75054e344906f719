"""Nodes remove old files that the database says it has; never one that it has not."""

import calendar
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from slurm_mig.errors import UsageError
from slurm_mig.usage.store import frames
from slurm_mig.usage.store.collect import Collected
from slurm_mig.usage.store.database import Store, opened
from slurm_mig.usage.store.discard import NodePruned, discard, prune_nodes
from slurm_mig.usage.store.fetch import Way, fetch
from slurm_mig.usage.store.frames import Order, Pruned
from slurm_mig.usage.store.piece import Mark
from slurm_mig.usage.store.ship import ship
from tests.fakes_reach import FakeReach, Ran, Say
from tests.usage.store.made import line

NOW = float(calendar.timegm((2026, 11, 24, 12, 0, 0)))
OLD, NEW = "2026-08.jsonl", "2026-10.jsonl"


class Site:
    """Nodes in folders, and a database that collects from them."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder, self.store = folder, store

    def add(self, node: str, text: bytes, name: str = OLD) -> Path:
        """Append to a node's file."""
        file = self.folder / node / "var/lib/slurm-mig/usage" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as out:
            out.write(text)
        return file

    def run(self, node: str, given: bytes, words: Sequence[str], say: Say) -> Ran:
        """One node's program."""
        root = self.folder / node
        if not root.exists():
            return Ran(None)
        if words[-1] == "ship":
            lines = list(ship(root, frames.read_question(given)))
        else:
            pruned = discard(root, frames.read_order(given), NOW)
            lines = [*map(frames.pruned_line, pruned), frames.last_line(more=False)]
        return Ran(0, "".join(f"{line}\n" for line in lines).encode())

    def way(self, command: str) -> Way:
        """How the nodes are asked."""
        return Way(FakeReach(self.run), ("slurm-mig", "usage", command))

    def collect(self, *nodes: str) -> Collected:
        """Fetch what is new."""
        return fetch(self.store, nodes or ("n1",), self.way("ship"))

    def prune(self, *nodes: str, dry_run: bool = False) -> list[NodePruned]:
        """Have nodes prune."""
        way = self.way("discard")
        return prune_nodes(self.store, nodes or ("n1",), way, "2026-10", NOW, dry_run=dry_run)

    def why(self) -> str:
        """Why the only file of n1 stays."""
        ((_, (one,), _),) = self.prune()
        assert one.why is not None
        return one.why


@pytest.fixture
def site(tmp_path: Path, memory: Path) -> Iterator[Site]:
    with opened(Path("/"), f"sqlite:///{memory}/a.db", make=True) as store:
        yield Site(tmp_path, store)


def test_what_was_collected_goes_on_every_node(site: Site) -> None:
    text = line(1, node="n1") + b"rubbish\n"
    files = [site.add("n1", text), site.add("n2", line(2, node="n2"))]
    new = site.add("n1", line(3, node="n1"), NEW)
    site.collect("n1", "n2")
    told = [
        NodePruned("n1", (Pruned(OLD, len(text), None),), None),
        NodePruned("n2", (Pruned(OLD, len(line(2, node="n2")), None),), None),
    ]
    assert site.prune("n1", "n2", dry_run=True) == told
    assert all(file.exists() for file in files)
    assert site.prune("n1", "n2") == told
    assert not any(file.exists() for file in files)
    assert new.exists()
    assert site.prune("n1") == [NodePruned("n1", (), None)]


def test_what_was_added_since_stays(site: Site) -> None:
    file = site.add("n1", line(1, node="n1"))
    assert "not all of it is in the database" in site.why()
    site.collect()
    size = file.stat().st_size
    site.add("n1", line(2, node="n1"))
    assert site.why() == (
        f"it was collected up to byte {size} of {file.stat().st_size}, or was another file"
    )
    site.collect()
    site.add("n1", line(3, node="n1")[:40])
    assert "it was collected up to byte" in site.why()


def test_another_file_of_the_same_length_stays(site: Site) -> None:
    file = site.add("n1", line(1, node="n1"))
    site.collect()
    file.write_bytes(line(2, node="n1"))
    assert "or was another file" in site.why()


@pytest.mark.parametrize(
    "text",
    [
        line(2, node="n1", version=2),
        line(1, node="n1", user="eve"),  # it came before, and was another
        b"rubbish\n" * 1001,
    ],
)
def test_a_line_that_is_in_no_table_keeps_its_file(site: Site, text: bytes) -> None:
    site.add("n1", line(1, node="n1"))
    site.collect()
    site.add("n1", text)
    site.collect()
    assert "not all of it is in the database" in site.why()
    site.add("n1", line(5, node="n1"))
    site.collect()
    assert "not all of it is in the database" in site.why()


def test_a_node_that_does_not_answer_stops_no_other(site: Site) -> None:
    site.add("n2", line(1, node="n2"))
    site.collect("n2")
    first, second = site.prune("n1", "n2")
    assert first == NodePruned("n1", (), "not reached")
    assert second.files[0].why is None


def test_the_last_two_months_stay_whatever_a_node_is_told(site: Site) -> None:
    site.add("n1", line(1, node="n1"), NEW)
    order = Order("2026-11", {NEW: Mark(len(line(1, node="n1")), "0" * 64)}, False)
    with pytest.raises(UsageError, match="at most 2026-10"):
        list(discard(site.folder / "n1", order, NOW))
    with pytest.raises(UsageError, match="write a month"):
        prune_nodes(site.store, ["n1"], site.way("discard"), "x", NOW, dry_run=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"before": "x"},
        {"before": None},
        {"dry_run": None},
        {"dry_run": 0},
        {"known": None},
        {"known": {"a": 1}},
    ],
)
def test_an_order_that_is_none(changes: dict[str, object]) -> None:
    given = json.loads(frames.order(Order("2026-10", {}, False)))
    assert frames.read_order(json.dumps(given).encode()) == Order("2026-10", {}, False)
    with pytest.raises(frames.Malformed):
        frames.read_order(json.dumps({**given, **changes}).encode())


@pytest.mark.parametrize(
    "told",
    [
        [],
        [{"file": "../x", "size_bytes": 1, "why": None}],
        [{"file": OLD, "size_bytes": "1", "why": None}],
        [{"file": OLD, "size_bytes": 1, "why": 7}],
    ],
)
def test_what_a_node_says_it_removed_is_not_believed_blindly(
    site: Site, told: list[object]
) -> None:
    end = [] if not told else [json.loads(frames.last_line(more=False))]
    out = "".join(f"{json.dumps(one)}\n" for one in [*told, *end]).encode()
    way = Way(FakeReach(lambda *_: Ran(0, out)))
    (one,) = prune_nodes(site.store, ["n1"], way, "2026-10", NOW, dry_run=False)
    assert one.files == ()
    assert one.why is not None


def test_what_a_node_says_is_one_line() -> None:
    told = json.dumps({"file": OLD, "size_bytes": 1, "why": "a\x1b[2Jb\nc"})
    (one,) = frames.read_pruned(f"{told}\n{frames.last_line(more=False)}".encode())
    assert one.why == "a\\x1b[2Jb c"
