"""A disk that fills up in the middle of a run: it stops, says why, and can be gone on with.

On real small file systems, at many moments of the run.
"""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from slurm_mig.errors import JournalError
from slurm_mig.reconfigure.fleet import files
from slurm_mig.reconfigure.fleet.record import RunRecord
from tests.reconfigure.fleet import runs
from tests.reconfigure.fleet.fleets import FORMER_TYPES, TARGET_TYPES, Fleet

STATE = "var/lib/slurm-mig"
NAMES = runs.names(4)
FULL = "No space left on device"


class Disk:
    """A small file system, and what fills it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._filler = folder, folder / "filler"

    def fill(self) -> None:
        with self._filler.open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * 4096)

    def make_room(self) -> None:
        self._filler.unlink(missing_ok=True)


@contextmanager
def disk_of(root: Path) -> Iterator[Disk]:
    """The disk on which the state of the machine with this root is."""
    folder = root / STATE
    folder.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs", str(folder)]
    if subprocess.run(words, check=False).returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def at_call(number: int, act: Callable[[], None]) -> Callable[[], None]:
    """Does it at the call of that number."""
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            act()

    return count


@pytest.fixture
def made(memory: Path) -> Iterator[Callable[[str], tuple[Fleet, Disk]]]:
    """A new fleet, and the disk of one of its machines; "" is the conductor's."""
    with ExitStack() as stack:
        count = 0

        def make(name: str) -> tuple[Fleet, Disk]:
            nonlocal count
            count += 1
            root = memory / f"fleet{count}"
            root.mkdir()
            fleet = Fleet(root, 4, 2, may_fail=4)
            disk = stack.enter_context(disk_of(fleet.root / name))
            return fleet, disk

        yield make


Made = Callable[[str], tuple[Fleet, Disk]]


def must_be_right_or_say(fleet: Fleet) -> None:
    """Every node: as before, as wanted, or drained with a reason that names the next command."""
    fleet.must_be_sound()
    for name, node in fleet.slurm.nodes.items():
        if "DRAIN" in node.flags:
            assert node.reason.startswith("slurm-mig re"), node.reason
            assert "recover" in node.reason or "--resume" in node.reason, node.reason
        else:
            right = fleet.is_right(name, FORMER_TYPES) or fleet.is_right(name, TARGET_TYPES)
            assert right, (name, node, fleet.members[name].live)


def must_all_be_done(fleet: Fleet, record: RunRecord) -> None:
    assert {one.outcome for one in record.nodes} <= {"done", "nothing"}
    fleet.must_have_ended(record)
    assert record.ended


def test_where_the_run_is_conducted(made: Made) -> None:
    number = -8
    while True:
        number += 9
        fleet, disk = made("")
        fleet.before = at_call(number, disk.fill)
        try:
            record = fleet.run()
        except JournalError as why:
            assert FULL in str(why)
            assert "stopping here" in str(why)
            must_be_right_or_say(fleet)
            with pytest.raises(JournalError, match=FULL):
                fleet.resume()
            must_be_right_or_say(fleet)
            disk.make_room()
            record = fleet.resume()
        must_all_be_done(fleet, record)
        if len(fleet.calls) < number:
            assert number > 100
            return


def test_it_is_full_from_the_beginning(made: Made) -> None:
    fleet, disk = made("")
    disk.fill()
    with pytest.raises(JournalError, match=f"{FULL}: nothing was changed"):
        fleet.run()
    assert all(fleet.is_right(name, FORMER_TYPES) for name in NAMES)
    disk.make_room()
    assert files.runs(fleet.root) == ()
    must_all_be_done(fleet, fleet.run())


@pytest.mark.parametrize("name", NAMES[1:3])
def test_on_a_node(made: Made, name: str) -> None:
    """That one stops by itself, or goes back; the others go on."""
    number, outcomes = -2, set[str]()
    while True:
        number += 3
        fleet, disk = made(name)
        member = fleet.members[name]
        member.before = at_call(number, disk.fill)
        record = fleet.run()
        fleet.must_have_ended(record)
        must_be_right_or_say(fleet)
        entry = record.node(name)
        outcomes.add(entry.outcome)
        if entry.failed:
            assert FULL in entry.problem, entry
            assert "`slurm-mig re" in entry.next_step or entry.outcome == "refused", entry
        others = [one.outcome for one in record.nodes if one.name != name]
        assert set(others) == {"done"}
        disk.make_room()
        must_all_be_done(fleet, fleet.resume())
        if len(member.calls) < number:
            break
    assert number > 40
    assert {"done", "drained", "refused"} <= outcomes, outcomes
