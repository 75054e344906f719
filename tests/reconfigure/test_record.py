"""The record: whole on the disk or not at all, believed only where it is right."""

import json
from pathlib import Path
from typing import Any

import pytest

from slurm_mig.errors import JournalError
from slurm_mig.gpu.partitioning import CiSpec, WantedGi, WantedGpu
from slurm_mig.reconfigure import record as records
from slurm_mig.reconfigure.record import FORMER, TARGET, Record
from tests.reconfigure.worlds import MIXED, SEVEN, UUID, Bench

FILE = "var/lib/slurm-mig/reconfigure.json"


@pytest.fixture
def made(memory: Path) -> Record:
    return Bench(memory).record()


def test_it_comes_back_as_it_was(memory: Path, made: Record) -> None:
    full = made._replace(
        drained=True,
        theirs="a fan is loud",
        changed=True,
        problem="no",
        goal=FORMER,
        notes={"way": "restart"},
    )
    records.write(memory, full)
    assert records.read(memory) == full


def test_none_is_open(memory: Path) -> None:
    assert records.read(memory) is None


def test_of_two_one_begins(memory: Path, made: Record) -> None:
    with pytest.raises(JournalError, match="run `slurm-mig recover`"):
        records.begin(memory, made)


def test_another_one_goes_on_with_it(memory: Path, made: Record) -> None:
    ours = records.take_over(memory, made)
    assert ours.run_id == made.run_id
    with pytest.raises(records.Overtaken):
        records.write(memory, made)
    records.write(memory, ours)


def test_a_record_that_is_gone_is_nobodys(memory: Path, made: Record) -> None:
    (memory / FILE).unlink()
    with pytest.raises(records.Overtaken):
        records.write(memory, made)


def test_the_last_one_stays(memory: Path, made: Record) -> None:
    records.close(memory, made)
    assert records.read(memory) is None
    assert records.read(memory, records.LAST) == made


def test_it_is_roots_alone(memory: Path, made: Record) -> None:
    assert (memory / FILE).stat().st_mode & 0o777 == 0o600
    (memory / FILE).chmod(0o666)
    with pytest.raises(JournalError, match="root"):
        records.read(memory)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"version": 2}, "written by another slurm-mig"),
        ({"goal": "elsewhere"}, "goal: is none of target, former"),
        ({"phase": "NAP"}, "phase: is none of DRAIN, WAIT"),
        ({"reason": ""}, "reason"),
        ({"changed": 1}, "changed"),
        ({"gpus": [{}]}, "uuid: missing"),
        ({"node": None}, "node"),
    ],
)
def test_what_is_wrong_is_told(
    memory: Path, made: Record, change: dict[str, Any], problem: str
) -> None:
    said = json.loads((memory / FILE).read_text())
    (memory / FILE).write_text(json.dumps({**said, **change}))
    with pytest.raises(JournalError, match=problem):
        records.read(memory)


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "7"])
def test_what_is_no_record(memory: Path, made: Record, text: str) -> None:
    (memory / FILE).write_text(text)
    with pytest.raises(JournalError):
        records.read(memory)


def test_what_is_wanted_at_each_goal(made: Record) -> None:
    assert made.wanted(TARGET) == {UUID: MIXED}
    cis, exactly = ("1g.10gb",), (CiSpec("1g.10gb"),)
    assert made.wanted(FORMER) == {
        UUID: WantedGpu(True, tuple(WantedGi("1g.10gb", at, cis, exactly) for at in range(7)))
    }
    assert len(SEVEN.instances) == 7


def test_a_disk_that_takes_no_more(memory: Path, made: Record) -> None:
    folder = (memory / FILE).parent
    draft = folder / "reconfigure-last.json"
    draft.mkdir()  # a folder in the way: it cannot be written
    (draft / "full").touch()
    with pytest.raises(JournalError, match="it stays open"):
        records.close(memory, made)
    assert records.read(memory) == made
