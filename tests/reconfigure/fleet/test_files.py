"""The record of a run on the disk: whole or not there, one process's, believed only if right."""

import json
from pathlib import Path
from typing import Any

import pytest

from slurm_mig.errors import JournalError
from slurm_mig.reconfigure.fleet import files
from slurm_mig.reconfigure.fleet.record import DONE, ENDED, WaveTook
from slurm_mig.reconfigure.record import Overtaken
from slurm_mig.reconfigure.run import Took
from tests.hooks.killing import deaths
from tests.reconfigure.fleet import runs

FILE = f"var/lib/slurm-mig/fleet/{runs.RUN}.json"


def test_there_and_back(tmp_path: Path) -> None:
    record = runs.record()
    node = record.nodes[0]._replace(
        wave=1, stage=ENDED, outcome=DONE, block="# a\nb\n", took=(Took("DRAIN", "target", 0.5),)
    )
    record = record.having(node)._replace(took=(WaveTook(1, "PUBLISH", 1.5),))
    files.begin(tmp_path, record)
    assert files.read(tmp_path, runs.RUN) == record
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_none() -> None:
    assert files.read(Path("/nowhere"), runs.RUN) is None
    assert files.runs(Path("/nowhere")) == ()


@pytest.mark.parametrize("run_id", ["../../etc/passwd", "", "0A1B2C3D", "0a1b2c3d.2"])
def test_what_is_no_id(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(JournalError, match="no id of a run"):
        files.read(tmp_path, run_id)


def test_of_two_with_one_id_one_begins(tmp_path: Path) -> None:
    files.begin(tmp_path, runs.record())
    with pytest.raises(JournalError, match="nothing was changed"):
        files.begin(tmp_path, runs.record())


def test_whoever_was_overtaken_stops(tmp_path: Path) -> None:
    files.begin(tmp_path, runs.record())
    ours = files.take_over(tmp_path, runs.record())
    with pytest.raises(Overtaken, match="another one goes on"):
        files.write(tmp_path, runs.record())
    files.write(tmp_path, ours._replace(problem="x"))
    found = files.read(tmp_path, runs.RUN)
    assert found is not None
    assert found.problem == "x"


def test_a_record_that_is_gone_stops_it(tmp_path: Path) -> None:
    with pytest.raises(Overtaken):
        files.write(tmp_path, runs.record())


def edited(**changes: Any) -> str:
    return json.dumps({**json.loads(files.encode(runs.record())), **changes})


def node(**changes: Any) -> str:
    nodes = json.loads(files.encode(runs.record()))["nodes"]
    return edited(nodes=[{**nodes[0], **changes}, *nodes[1:]])


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "null", "{}", "{", '"text"', edited(version=2), edited(surprise=1)),
        *(edited(options={}), edited(nodes=[1]), edited(nodes={"a": 1}), edited(text=None)),
        *(node(stage="flying"), node(outcome="fine"), node(goal="x"), node(published="x")),
        *(node(name=1), node(name="n02"), node(took=[{}]), node(surprise=1)),
    ],
)
def test_what_is_no_record(tmp_path: Path, text: str) -> None:
    files.begin(tmp_path, runs.record())
    (tmp_path / FILE).write_text(text)
    with pytest.raises(JournalError, match="move it away"):
        files.read(tmp_path, runs.RUN)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    files.begin(tmp_path, runs.record())
    (tmp_path / FILE).rename(tmp_path / "elsewhere")
    (tmp_path / FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(JournalError):
        files.read(tmp_path, runs.RUN)


def test_the_newest_first_and_old_ones_go(tmp_path: Path) -> None:
    for number in range(files.KEPT + 6):
        ended = number != 2  # one that has not ended is never forgotten
        made = runs.record(run_id=f"{number:08x}", begun=float(number))
        files.begin(tmp_path, made._replace(ended=ended))
    kept = [int(run.run_id, 16) for run in files.runs(tmp_path)]
    assert kept == [*range(files.KEPT + 5, 5, -1), 2]


def test_other_files_there_are_nobody_s_run(tmp_path: Path) -> None:
    files.begin(tmp_path, runs.record())
    for name in (f".{runs.RUN}.json.1.0", "notes.txt"):
        (tmp_path / FILE).with_name(name).write_text("x")
    assert len(files.runs(tmp_path)) == 1


def test_killed_at_every_line(tmp_path: Path) -> None:
    """The file has what was before, or what was to come."""
    files.begin(tmp_path, runs.record())
    later = runs.record()._replace(problem="later")

    def act() -> None:
        files.write(tmp_path, later)

    for line in deaths(lambda: act, step=1, writers=("files",)):
        found = files.read(tmp_path, runs.RUN)
        assert found in (runs.record(), later), line
