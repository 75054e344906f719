"""The whole life of records, at random: written, cut short, moved, fetched, killed, pruned.

Whatever is done in whatever order: every whole line of a record that a collect could see is in
the database once, nothing else is, and no file goes before its records are there.
"""

import calendar
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from slurm_mig.usage.store import frames
from slurm_mig.usage.store.collect import collect
from slurm_mig.usage.store.database import opened
from slurm_mig.usage.store.discard import discard, prune_nodes
from slurm_mig.usage.store.fetch import Way, fetch
from slurm_mig.usage.store.query import rows
from slurm_mig.usage.store.shape import Damaged, parse
from slurm_mig.usage.store.ship import ship
from tests.fakes_reach import FakeReach, Ran, Say
from tests.usage.store.made import line, slice_

NOW = float(calendar.timegm((2026, 11, 24, 12, 0, 0)))
USAGE = "var/lib/slurm-mig/usage"
NODES = ("n1", "n2")
MONTH = "2026-08.jsonl"
nodes = st.sampled_from(NODES)


class Killed(BaseException):
    """What stands for kill -9 between two transactions (those within: test_collect_killed)."""


class Life(RuleBasedStateMachine):
    """Two nodes, their files, copies of these, and a database."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
        self.url = f"sqlite:///{self.folder}/a.db"
        for node in NODES:
            (self.folder / node / USAGE).mkdir(parents=True)
        self.count = 0
        self.written: set[int] = set()  # jobs of which a whole line was written
        self.must: set[int] = set()  # those of which the database must know
        with opened(Path("/"), self.url, make=True):
            pass

    def teardown(self) -> None:
        """Nothing is left of it."""
        shutil.rmtree(self.folder)

    def file(self, node: str) -> Path:
        """A node's file."""
        return self.folder / node / USAGE / MONTH

    def append(self, file: Path, text: bytes) -> None:
        """As a hook does."""
        with file.open("ab") as out:
            out.write(text)

    def new(self, node: str) -> bytes:
        """The line of another job; an odd one has two slices."""
        self.count += 1
        return line(self.count, node=node, slices=[slice_()] * (1 + self.count % 2))

    @rule(node=nodes)
    def a_job_ends(self, node: str) -> None:
        """Its record is appended; behind half a line that is a damaged one first."""
        file = self.file(node)
        half = file.exists() and not file.read_bytes().endswith(b"\n") and file.stat().st_size > 0
        self.append(file, (b"\n" if half else b"") + self.new(node))
        self.written.add(self.count)

    @rule(node=nodes, length=st.integers(1, 200))
    def power_is_lost_while_a_record_is_written(self, node: str, length: int) -> None:
        """Half a line stays."""
        self.append(self.file(node), self.new(node)[:length])

    @rule(node=nodes)
    def somebody_replaces_a_file_by_a_copy(self, node: str) -> None:
        """Another inode, the same bytes."""
        file = self.file(node)
        if file.exists():
            copy = file.with_suffix(".new")
            shutil.copy(file, copy)
            copy.replace(file)

    @rule(node=nodes, lost=st.integers(1, 4000))
    def a_file_loses_its_end(self, node: str, lost: int) -> None:
        """What no collect saw is lost with it; or there half, or with another record's end."""
        file = self.file(node)
        if file.exists():
            file.write_bytes(file.read_bytes()[:-lost])

    def on_disk(self) -> set[int]:
        """The jobs of which a file has a whole line."""
        found = set()
        for file in self.folder.glob(f"*/{USAGE}/*.jsonl"):
            for text in file.read_bytes().split(b"\n")[:-1]:
                with suppress(Damaged):
                    found.add(parse(text).job.job_id)
        return found

    @rule()
    def nodes_are_asked(self) -> None:
        """The usual way."""
        with opened(Path("/"), self.url) as store:
            done = fetch(store, NODES, self.way("ship"))
        assert done.unread == done.differing == 0, done.told
        self.must |= self.on_disk()

    @rule()
    def files_are_read_here(self) -> None:
        """As if they were copies."""
        with opened(Path("/"), self.url) as store:
            done = collect(store, [self.folder / node for node in NODES])
        assert done.unread == done.differing == 0, done.told
        self.must |= self.on_disk()

    @rule(parts=st.integers(1, 4), far=st.booleans())
    def a_collect_is_killed(self, parts: int, far: bool) -> None:
        """After some of its parts."""
        left = iter(range(parts))

        def watch(_: object) -> None:
            if next(left, None) is None:
                raise Killed

        with suppress(Killed), opened(Path("/"), self.url) as store:
            if far:
                fetch(store, NODES, self.way("ship"), watch=watch)
            else:
                collect(store, [self.folder / node for node in NODES], watch=watch)

    @precondition(lambda self: self.must)
    @rule()
    def old_files_are_pruned(self) -> None:
        """Whatever goes is in the database."""
        before_it = self.on_disk()
        with opened(Path("/"), self.url) as store:
            way = self.way("discard")
            for one in prune_nodes(store, NODES, way, "2026-10", NOW, dry_run=False):
                assert one.why is None
            known = {held.job.job_id for held in rows(store)}
        assert before_it - self.on_disk() <= known
        self.must |= before_it - self.on_disk()

    @invariant()
    def each_record_is_there_once(self) -> None:
        """With all its slices, and no other."""
        with opened(Path("/"), self.url) as store:
            held = Counter(one.job.job_id for one in rows(store))
        assert self.must <= set(held) <= self.written
        assert all(number == 1 + job_id % 2 for job_id, number in held.items())

    def way(self, command: str) -> Way:
        """How the nodes are asked."""
        return Way(FakeReach(self.run_on), ("slurm-mig", "usage", command))

    def run_on(self, node: str, given: bytes, words: Sequence[str], say: Say) -> Ran:
        """One node's program."""
        root = self.folder / node
        if words[-1] == "ship":
            lines = list(ship(root, frames.read_question(given)))
        else:
            pruned = discard(root, frames.read_order(given), NOW)
            lines = [*map(frames.pruned_line, pruned), frames.last_line(more=False)]
        return Ran(0, "".join(f"{line}\n" for line in lines).encode())


# What fails is short enough as it is; to make it shorter would take minutes.
Life.TestCase.settings = settings(
    max_examples=15, stateful_step_count=30, deadline=None, phases=[Phase.generate]
)
TestLife: Callable[[], object] = Life.TestCase
