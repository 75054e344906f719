"""The file that hands a job's sums to its epilog: whole at every instruction."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from slurm_mig.usage import sums
from slurm_mig.usage.monitor import adding, handover
from slurm_mig.usage.monitor.adding import Reading
from slurm_mig.usage.monitor.handover import HandOver
from slurm_mig.usage.monitor.jobs import HeldSlice, OpenJob
from tests.hooks.killing import deaths
from tests.usage.made import handed_over_1

ONE = HeldSlice("GPU-0", 0, "H100", 9, 0, "1g.10gb", "1g", 0, "MIG-0", 9728)
TWO = ONE._replace(gi_id=10, mig_uuid="MIG-1")


def job(*slices: HeldSlice) -> OpenJob:
    return OpenJob(7, "r1", 1001, "ada", None, None, "n1", None, 1.0, True, slices or (ONE,))


@pytest.fixture
def place(memory: Path) -> int:
    return handover.folder(str(memory))


def samples(place: int, name: str = "7.r1") -> float | None:
    with os.fdopen(os.open(name, os.O_RDONLY, dir_fd=place), "rb") as file:
        found = sums.read(file.read())
    return None if found is None else found.slices[-1][sums.SAMPLES]


def sample(file: HandOver) -> None:
    file.sums.slices[-1][sums.SAMPLES] += 1
    file.write()


def test_the_next_one_goes_on(place: int) -> None:
    for expected in (1.0, 2.0, 3.0):
        file = HandOver(place, job(), 5.0)
        sample(file)
        file.close()
        assert samples(place) == expected


def test_it_is_roots_alone_and_of_one_size(place: int) -> None:
    file = HandOver(place, job(), 5.0)
    before = os.stat("7.r1", dir_fd=place)
    for _ in range(5):
        sample(file)
    after = os.stat("7.r1", dir_fd=place)
    assert (after.st_mode & 0o777, after.st_size) == (0o600, before.st_size)
    assert before.st_size == file.sums.size
    assert before.st_ino == after.st_ino


def test_what_is_damaged_is_begun_anew(place: int) -> None:
    sample(HandOver(place, job(), 5.0))
    handle = os.open("7.r1", os.O_WRONLY, dir_fd=place)
    os.pwrite(handle, b"\xff" * 5000, 0)
    file = HandOver(place, job(), 5.0)
    assert file.sums.slices[0][sums.SAMPLES] == 0
    sample(file)
    assert samples(place) == 1.0


def test_another_slice_takes_over_what_is_known(place: int) -> None:
    file = HandOver(place, job(), 5.0)
    sample(file)
    more = HandOver(place, job(TWO, ONE), 5.0)
    assert [row[sums.SAMPLES] for row in more.sums.slices] == [0.0, 1.0]
    assert samples(place) == 1.0


def test_a_file_of_version_1_is_taken_over(place: int) -> None:
    """A monitor that is updated while a job runs: its sums go on, and its curve begins."""
    whole = ONE._replace(gpu_minor=1, gi_id=None, ci_id=None)
    handle = os.open("7.r1", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=place)
    os.write(handle, handed_over_1())
    os.close(handle)
    file = HandOver(place, job(ONE, whole), 5.0)
    assert [row[sums.SAMPLES] for row in file.sums.slices] == [3.0, 3.0]
    adding.reading(file.sums.slices[1], None, Reading(50.0, False, 1, 0), 600.0, 5.0)
    file.write()
    file.close()
    again = HandOver(place, job(ONE, whole), 5.0)
    row = again.sums.slices[1]
    assert (row[sums.SAMPLES], row[sums.CURVE_FROM_S], row[sums.TOPS]) == (4.0, 600.0, 51.0)
    assert os.stat("7.r1", dir_fd=place).st_size == again.sums.size


def test_a_file_of_a_later_version_is_begun_anew(place: int) -> None:
    file = HandOver(place, job(), 5.0)
    file.sums.numbers[0] += 1
    sample(file)
    file.close()
    again = HandOver(place, job(), 5.0)
    assert again.sums.slices[0][sums.SAMPLES] == 0
    sample(again)
    assert samples(place) == 1.0


def test_it_is_whole_whenever_the_monitor_is_killed(memory: Path) -> None:
    count = iter(range(1_000_000))
    state: dict[str, int] = {}

    def scene() -> Callable[[], object]:
        folder = memory / str(next(count))
        folder.mkdir()
        state["place"] = place = handover.folder(str(folder))
        first = HandOver(place, job(), 5.0)
        sample(first)
        first.close()

        def act() -> None:
            again = HandOver(place, job(), 5.0)
            sample(again)
            grown = HandOver(place, job(TWO, ONE), 5.0)
            sample(grown)

        return act

    for line in deaths(scene, step=3, writers=("handover", "sums", "rootfiles")):
        assert samples(state["place"]) in (1.0, 2.0, 3.0), line
        names = os.listdir(state["place"])  # noqa: PTH208
        handover.clean(state["place"], {"7.r1"})
        assert [name for name in names if not name.startswith(".")] == ["7.r1"], line
        os.close(state["place"])


def test_only_what_belongs_to_nobody_is_removed(place: int) -> None:
    for name in ("7.r1", "7.r1.devices", ".7.r1.99", "8.r2", "8.r2.devices", ".8.r2.1"):
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=place))
    handover.clean(place, {"7.r1"})
    assert sorted(os.listdir(place)) == [".7.r1.99", "7.r1", "7.r1.devices"]


def test_a_link_is_not_followed(place: int, tmp_path: Path) -> None:
    aim = tmp_path / "aim"
    aim.write_bytes(b"precious")
    os.symlink(aim, "7.r1", dir_fd=place)
    sample(HandOver(place, job(), 5.0))
    assert aim.read_bytes() == b"precious"
    assert samples(place) == 1.0
