"""Nodes that send what was added to their records, honest ones and others."""

import base64
import json
import random
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.slurm.reach import ClusterShellReach
from slurm_mig.usage.store import frames
from slurm_mig.usage.store.collect import Collected, take
from slurm_mig.usage.store.database import Store, opened
from slurm_mig.usage.store.fetch import Way, fetch
from slurm_mig.usage.store.insert import Place
from slurm_mig.usage.store.piece import Mark, Piece
from slurm_mig.usage.store.query import rows
from slurm_mig.usage.store.shape import MAX_LINE
from slurm_mig.usage.store.ship import ship
from tests.fakes_reach import FakeReach, Ran, Say
from tests.usage.store.made import line

USAGE = "var/lib/slurm-mig/usage"
MONTH = "2026-11.jsonl"
DIGEST = "0" * 64


class Nodes:
    """Machines in folders, and what runs `slurm-mig usage ship` on them in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rounds = 0
        self.reach = FakeReach(self.run)

    def add(self, node: str, text: bytes, name: str = MONTH) -> Path:
        """Append to a node's file."""
        file = self.folder / node / USAGE / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as out:
            out.write(text)
        return file

    def run(self, node: str, given: bytes, words: Sequence[str], say: Say) -> Ran:
        """One node's program; a node that was not made is not reached."""
        self.rounds += 1
        assert list(words) == ["slurm-mig", "usage", "ship"]
        root = self.folder / node
        if not root.exists():
            return Ran(None)
        lines = list(ship(root, frames.read_question(given)))
        assert sum(map(len, lines)) < 4 << 20  # else it would be cut off on its way
        return Ran(0, "".join(f"{line}\n" for line in lines).encode())


@pytest.fixture
def nodes(tmp_path: Path) -> Nodes:
    return Nodes(tmp_path)


@pytest.fixture
def quick(memory: Path) -> Any:
    """An SQLite: what is stored how is test_collect's."""
    with opened(Path("/"), f"sqlite:///{memory}/a.db", make=True) as store:
        yield store


def jobs(store: Store) -> list[int]:
    return [held.job.job_id for held in rows(store)]


def test_each_record_of_each_node_once(store: Store, nodes: Nodes) -> None:
    nodes.add("n1", line(1, node="n1") + line(2, node="n1"))
    nodes.add("n2", line(3, node="n2"), "2026-10.jsonl")
    nodes.add("n2", line(4, node="n2")[:50])
    way = Way(nodes.reach)
    assert fetch(store, ["n1", "n2"], way) == Collected(files=2, new=3)
    assert fetch(store, ["n1", "n2"], way) == Collected()
    nodes.add("n2", line(4, node="n2")[50:])
    assert fetch(store, ["n1", "n2"], way) == Collected(files=1, new=1)
    assert jobs(store) == [1, 2, 3, 4]


def test_a_node_without_records(quick: Store, nodes: Nodes) -> None:
    (nodes.folder / "n1").mkdir()
    assert fetch(quick, ["n1"], Way(nodes.reach)) == Collected()


def test_a_node_that_is_not_reached_stops_no_other(quick: Store, nodes: Nodes) -> None:
    nodes.add("n2", line(1, node="n2"))
    done = fetch(quick, ["n1", "n2"], Way(nodes.reach))
    assert (done.new, done.unread) == (1, 1)
    assert done.told == ("n1: not reached",)


def test_a_node_may_speak_for_itself_only(quick: Store, nodes: Nodes) -> None:
    nodes.add("n1", line(1, node="n2") + line(2, node=None) + line(3, node="n1"))
    done = fetch(quick, ["n1"], Way(nodes.reach))
    assert (done.new, done.damaged) == (1, 2)
    assert done.told[0] == f"n1:/{USAGE}/{MONTH}:1: it names node 'n2', but came from n1"
    assert jobs(quick) == [3]


def test_a_node_that_is_called_by_its_long_name(quick: Store, nodes: Nodes) -> None:
    nodes.add("n1.cluster", line(1, node="n1") + line(2, node="n1.cluster") + line(3, node="n"))
    done = fetch(quick, ["n1.cluster"], Way(nodes.reach))
    assert (done.new, done.damaged) == (2, 1)


def test_much_comes_in_several_answers(quick: Store, nodes: Nodes) -> None:
    noise = base64.b64encode(bytes(range(256)) * 1000).decode()
    text = b"".join(line(at, node="n1", noise=noise[at:]) for at in range(30))
    nodes.add("n1", text)  # some 10 MB
    nodes.add("n2", line(31, node="n2"))
    told: list[Collected] = []
    done = fetch(quick, ["n1", "n2"], Way(nodes.reach), watch=told.append)
    assert done == told[-1] == Collected(files=2, new=31)
    assert jobs(quick) == [*range(30), 31]


def test_what_does_not_shrink_is_sent_all_the_same(quick: Store, nodes: Nodes) -> None:
    rng = random.Random(1)
    text = b"".join(
        line(at, node="n1", noise=base64.b85encode(rng.randbytes(700_000)).decode())
        for at in range(6)
    )
    nodes.add("n1", text)
    assert fetch(quick, ["n1"], Way(nodes.reach)).new == 6
    assert nodes.rounds > 1


def test_a_line_that_is_too_long_is_not_sent(quick: Store, nodes: Nodes) -> None:
    nodes.add("n1", b"x" * (6 * MAX_LINE) + b"\n" + line(1, node="n1"))
    done = fetch(quick, ["n1"], Way(nodes.reach))
    assert (done.new, done.damaged) == (1, 1)


def test_a_file_that_was_replaced_on_the_node(quick: Store, nodes: Nodes) -> None:
    file = nodes.add("n1", line(1, node="n1") + line(2, node="n1"))
    way = Way(nodes.reach)
    fetch(quick, ["n1"], way)
    file.write_bytes(line(3, node="n1"))
    assert fetch(quick, ["n1"], way) == Collected(files=1, new=1)


def test_only_the_months_files_are_sent_and_no_link(nodes: Nodes) -> None:
    nodes.add("n1", b"secret\n", "lock")
    assert list(ship(nodes.folder / "n1", {})) == [frames.last_line(more=False)]
    (nodes.folder / "n1" / USAGE / MONTH).symlink_to("lock")
    with pytest.raises(Exception, match=MONTH):
        list(ship(nodes.folder / "n1", {"../lock": Mark(0, DIGEST)}))


class Liar:
    """A node that prints whatever it likes."""

    def __init__(self, *answers: bytes, code: int = 0) -> None:
        self._answers = iter(answers)
        self._code = code
        self.reach = FakeReach(lambda *_: Ran(self._code, next(self._answers), b"too bad"))


def sent(text: bytes, **changes: Any) -> dict[str, Any]:
    """A piece as it is sent."""
    data = base64.b64encode(zlib.compress(text)).decode()
    piece = {"file": MONTH, "begin": 0, "end": [len(text), DIGEST], "more": False, "data": data}
    return {**piece, **changes}


def answer(*pieces: Any, more: bool = False) -> bytes:
    lines = [*map(json.dumps, pieces), frames.last_line(more=more)]
    return "".join(f"{one}\n" for one in lines).encode()


GOOD = line(1, node="n1")


@pytest.mark.parametrize(
    ("out", "why"),
    [
        (b"", "cut off"),
        (b"Welcome to n1!\n", "no JSON"),
        (answer(sent(GOOD))[:-30], "cut off"),
        (answer(sent(GOOD)).splitlines()[0], "cut off"),
        (answer(7), "no JSON object"),
        (answer({}), "file: no name"),
        (answer(sent(GOOD, file="../../etc/passwd")), "file: no name"),
        (answer(sent(GOOD, file="2026-11.jsonl\n")), "file: no name"),
        (answer(sent(GOOD, begin=-1)), "no place"),
        (answer(sent(GOOD, begin=True)), "no place"),
        (answer(sent(GOOD, end=[10**20, DIGEST])), "no place"),
        (answer(sent(GOOD, end=[5, "x"])), "no digest"),
        (answer(sent(GOOD, end=7)), "no place"),
        (answer(sent(GOOD, end=[5, DIGEST])), "not of the size"),
        (answer(sent(GOOD[:-1])), "not of the size"),
        (answer(sent(b"")), "not of the size"),
        (answer(sent(GOOD, more=None)), "more"),
        (answer(sent(GOOD, data=5)), "data: no text"),
        (answer(sent(GOOD, data="%%%")), "no compressed bytes"),
        (answer(sent(GOOD, data="AAAA")), "no compressed bytes"),
        (answer(sent(b"\n" * (3 << 20))), "more than"),
        (answer(more=True), "sends nothing"),
    ],
)
def test_an_answer_that_is_none_is_told_and_stores_nothing(
    quick: Store, out: bytes, why: str
) -> None:
    done = fetch(quick, ["n1"], Way(Liar(out).reach))
    assert (done.new, done.unread) == (0, 1)
    assert done.told[0].startswith("n1: ")
    assert why in done.told[0]


def test_a_node_that_fails_is_told_by_its_words(quick: Store) -> None:
    done = fetch(quick, ["n1"], Way(Liar(answer(sent(GOOD)), code=1).reach))
    assert done == Collected(unread=1, told=("n1: too bad",))


def test_a_piece_that_follows_nothing_known_is_not_taken(quick: Store) -> None:
    piece = sent(GOOD, begin=5, end=[5 + len(GOOD), DIGEST])
    assert fetch(quick, ["n1"], Way(Liar(answer(piece)).reach)).new == 0
    assert jobs(quick) == []


def test_a_node_that_never_ends_is_left(quick: Store) -> None:
    class Endless:
        def __next__(self) -> bytes:
            return answer(sent(GOOD), more=True)

    liar = Liar()
    liar._answers = Endless()  # type: ignore[assignment]
    done = fetch(quick, ["n1"], Way(liar.reach))
    assert (done.new, done.unread) == (1, 1)
    assert "it had no end" in done.told[-1]


@pytest.mark.parametrize(
    "question",
    [
        b"",
        b"[]",
        b'{"known": {}}',
        b'{"version": 2, "known": {}}',
        b'{"version": 1, "known": []}',
        b'{"version": 1, "known": {"a": [1]}}',
        b'{"version": 1, "known": {"a": ["1", "x"]}}',
    ],
)
def test_a_question_that_is_none(question: bytes) -> None:
    with pytest.raises(frames.Malformed):
        frames.read_question(question)


@given(st.binary(max_size=300))
def test_an_answer_is_read_or_malformed(data: bytes) -> None:
    try:
        frames.read_answer(data)
    except frames.Malformed as why:
        assert str(why)


@given(
    st.text("\0ab\r\n\x0b\u2028ä", max_size=50).map(str.encode),
    st.integers(0, 2**40),
    st.booleans(),
)
def test_a_piece_comes_as_it_was(data: bytes, begin: int, more: bool) -> None:
    piece = Piece(begin, data + b"\n", Mark(begin + len(data) + 1, DIGEST), more)
    text = f"{frames.piece_line(MONTH, piece)}\n{frames.last_line(more=more)}\n"
    assert len(text.splitlines()) == 2  # whatever is in it, it stays on its line
    assert frames.read_answer(text.encode()) == frames.Sent(((MONTH, piece),), more)


def test_with_a_collect_of_copies_at_the_same_time(quick: Store, nodes: Nodes) -> None:
    """Another one moves the source between question and answer."""
    text = line(1, node="n1")
    nodes.add("n1", text)
    source = f"n1:/{USAGE}/{MONTH}"
    inner = nodes.run

    def meanwhile(node: str, given: bytes, words: Sequence[str], say: Say) -> Ran:
        ran = inner(node, given, words, say)
        take(quick, source, Place(), Piece(0, text, Mark(len(text), DIGEST), more=False))
        return ran

    assert fetch(quick, ["n1"], Way(FakeReach(meanwhile))).new == 0
    assert jobs(quick) == [1]


def test_through_a_shell_and_the_program_itself(quick: Store, nodes: Nodes) -> None:
    """ClusterShell's own reading and writing, with a command in the place of ssh."""
    for node in ("n1", "n2"):
        number = int(node[1])
        text = b"".join(line(number * 1000 + at, node=node) for at in range(300))
        nodes.add(node, text + b"a\rb\x0bc\n")
    command = ("env", f"SLURM_MIG_ROOT={nodes.folder}/{{node}}", "sh", "-c")
    words = (sys.executable, "-m", "slurm_mig", "usage", "ship")
    done = fetch(quick, ["n1", "n2"], Way(ClusterShellReach(command=command), words))
    assert done.told[0].startswith("n1:")
    assert (done.files, done.new, done.damaged, done.unread) == (2, 600, 2, 0)
