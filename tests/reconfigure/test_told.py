"""One telling serves all who had written before it began; nobody is served by an earlier one."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from slurm_mig.errors import Refused, SlurmMigError
from slurm_mig.reconfigure import told
from slurm_mig.reconfigure.sidecar import held, sidecar


class Slurmctld:
    """It has what was in the file when it last read it."""

    def __init__(self, conf: Path) -> None:
        self.conf, self.has, self.reads = conf, "", 0
        self.broken = 0

    def read(self) -> None:
        self.reads += 1
        if self.broken:
            self.broken -= 1
            raise SlurmMigError("no answer")
        self.has = self.conf.read_text()

    def tell(self, seen: int | None, way: str = "reconfigure") -> bool:
        return told.tell(self.conf, way, seen, self.read, 30)


@pytest.fixture
def ctld(tmp_path: Path) -> Slurmctld:
    (tmp_path / "slurm.conf").write_text("")
    return Slurmctld(tmp_path / "slurm.conf")


def wrote(ctld: Slurmctld, text: str) -> int | None:
    with ctld.conf.open("a") as file:
        file.write(text)
    return told.begun(ctld.conf)


def numbers(ctld: Slurmctld) -> Path:
    return sidecar(f"{ctld.conf}-told")


def test_the_second_of_two_who_wrote_before_has_not_to_tell(ctld: Slurmctld) -> None:
    one, two = wrote(ctld, "1"), wrote(ctld, "2")
    assert ctld.tell(one)
    assert not ctld.tell(two)
    assert (ctld.has, ctld.reads) == ("12", 1)


def test_who_wrote_since_tells(ctld: Slurmctld) -> None:
    assert ctld.tell(wrote(ctld, "1"))
    assert ctld.tell(wrote(ctld, "2"))
    assert ctld.has == "12"


def test_who_wrote_while_somebody_told_tells(ctld: Slurmctld) -> None:
    """slurmctld may have read the file before."""
    seen: list[int | None] = []

    def read_and_write() -> None:
        ctld.read()
        seen.append(wrote(ctld, "2"))

    told.tell(ctld.conf, "reconfigure", wrote(ctld, "1"), read_and_write, 30)
    assert ctld.has == "1"
    assert ctld.tell(seen[0])
    assert ctld.has == "12"


def test_who_wrote_nothing_tells(ctld: Slurmctld) -> None:
    ctld.tell(wrote(ctld, "1"))
    assert ctld.tell(None)
    assert ctld.reads == 2


def test_a_telling_that_failed_serves_nobody(ctld: Slurmctld) -> None:
    one, two = wrote(ctld, "1"), wrote(ctld, "2")
    ctld.broken = 1
    with pytest.raises(SlurmMigError, match="no answer"):
        ctld.tell(one)
    assert ctld.tell(two)
    assert not ctld.tell(one)
    assert ctld.has == "12"


def test_a_telling_by_another_way_serves_nobody(ctld: Slurmctld) -> None:
    """Before 23.11 a reconfigure leaves GRES as they are: it takes a restart."""
    one, two = wrote(ctld, "1"), wrote(ctld, "2")
    assert ctld.tell(one, "reconfigure")
    assert ctld.tell(two, "restart")
    assert not ctld.tell(one, "restart")


def test_who_writes_while_others_are_gathered_is_served(ctld: Slurmctld) -> None:
    one = wrote(ctld, "1")
    seen: list[int | None] = []
    writer = threading.Timer(0.2, lambda: seen.append(wrote(ctld, "2")))
    writer.start()

    def act() -> None:
        writer.join()
        ctld.read()

    told.tell(ctld.conf, "restart", one, act, 30, gather_s=1.0)
    assert ctld.has == "12"
    assert seen != [None]
    assert seen == [0] or ctld.tell(seen[0], "restart")


def as_a_link(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to("elsewhere")


def as_a_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


SPOIL: dict[str, Callable[[Path], object]] = {
    "half written": lambda file: file.write_text('{"version": 1, "begun": 9'),
    "empty": lambda file: file.write_text(""),
    "another thing": lambda file: file.write_text("[1]"),
    "no numbers": lambda file: file.write_text('{"begun": "x", "done": {}}'),
    "a link": as_a_link,
    "a FIFO": as_a_fifo,
}


@pytest.mark.parametrize("how", SPOIL)
def test_where_the_numbers_cannot_be_read_everybody_tells(ctld: Slurmctld, how: str) -> None:
    ctld.tell(wrote(ctld, "1"))
    SPOIL[how](numbers(ctld))
    assert wrote(ctld, "2") is None
    if how in ("a link", "a FIFO"):
        with pytest.raises(Refused, match="told"):
            ctld.tell(None)
        return
    assert ctld.tell(None)
    assert ctld.has == "12"
    assert wrote(ctld, "3") == 1


def test_numbers_that_are_lost_begin_anew(ctld: Slurmctld) -> None:
    for text in "123":
        ctld.tell(wrote(ctld, text))
    seen = wrote(ctld, "4")
    numbers(ctld).unlink()
    other = wrote(ctld, "5")
    assert ctld.tell(seen)
    assert ctld.has == "12345"
    assert not ctld.tell(other)


def test_somebody_else_at_it_is_waited_for_and_named(ctld: Slurmctld) -> None:
    with (
        held(f"{ctld.conf}-told", 1),
        pytest.raises(Refused, match=r"another slurm-mig has slurmctld read .*slurm\.conf"),
    ):
        told.tell(ctld.conf, "restart", 0, ctld.read, 0.1)
    assert ctld.reads == 0


def test_many_at_once_are_all_served_by_few_tellings(ctld: Slurmctld) -> None:
    """Each finds in slurmctld what it wrote; the first telling lasts until all have written.

    Two tellings it is, but for those who cannot read a number that is just being written.
    """
    count = 24
    lock, all_wrote = threading.Lock(), threading.Semaphore(0)
    missing: list[int] = []

    def last_long() -> None:
        ctld.read()
        while ctld.reads == 1 and all_wrote.acquire(timeout=30):
            if ctld.conf.read_text().count("<") == count:
                break

    def node(number: int) -> None:
        with lock:
            seen = wrote(ctld, f"<{number}>")
        all_wrote.release()
        told.tell(ctld.conf, "restart", seen, last_long, 60)
        if f"<{number}>" not in ctld.has:
            missing.append(number)

    threads = [threading.Thread(target=node, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not missing
    assert ctld.reads < count
