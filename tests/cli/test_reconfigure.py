"""`slurm-mig reconfigure`: what it is told, and what it tells; the work is tests/reconfigure's."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from slurm_mig.cli import run
from slurm_mig.cli.reconfigured import tell
from slurm_mig.errors import SlurmMigError
from slurm_mig.reconfigure import loop
from slurm_mig.reconfigure.entry import NOTHING
from slurm_mig.reconfigure.loop import Ended
from slurm_mig.reconfigure.run import Took
from slurm_mig.reconfigure.waiting import told
from slurm_mig.slurm.controller.client import Job
from tests.gpu.applying import here
from tests.reconfigure.worlds import Bench
from tests.sim.api import Sim

TOOK = (Took("WAIT", "target", 60.0), Took("STOP", "target", 1.5), Took("STOP", "former", 0.5))


@pytest.mark.parametrize("words", [[], ["--rollback", "-f", "x.yaml"]])
def test_one_of_file_and_rollback(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reconfigure", "n1", *words]) == 2
    assert "give one of --file FILE and --rollback" in capsys.readouterr().err


def test_a_time_is_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reconfigure", "-f", "x", "--timeout", "-1"]) == 2


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reconfigure", "-f", str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml" in capsys.readouterr().err


def test_without_a_slurm_conf(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLURM_CONF", raising=False)
    assert run(["reconfigure", "--rollback", "--root", str(tmp_path)]) == 1
    assert "no slurm.conf was found" in capsys.readouterr().err


def test_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell("n1, mixed", Ended(loop.DONE, took=TOOK[:2]), as_json=False) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "   60.000 s  WAIT"
    assert out[-1] == "n1, mixed: done in 61.5 s, of which it waited 60.0 s for jobs"


def test_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell("n1, mixed", Ended(NOTHING), as_json=False) == 0
    assert capsys.readouterr().out == "n1, mixed: nothing to do\n"


def test_it_went_back(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended(loop.BACK, "no", took=TOOK, remarks=("a", "a"))
    with pytest.raises(SlurmMigError, match="n1, mixed: not done, and the node is as before: no"):
        tell("n1, mixed", ended, as_json=False)
    told = capsys.readouterr()
    assert "    0.500 s  back: STOP" in told.out
    assert told.err.count("warning: a") == 1
    assert tell("n1, rollback", ended._replace(problem=""), as_json=False, back=True) == 0


def test_it_stays_drained() -> None:
    ended = Ended(loop.STAYS, "no", "run this")
    with pytest.raises(SlurmMigError, match="the node stays drained: no: run this"):
        tell("n1, mixed", ended, as_json=False)


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    tell("n1, mixed", Ended(loop.DONE, took=TOOK), as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert (said["version"], said["outcome"], said["good"]) == (1, "done", True)
    assert said["phases"][2] == {"phase": "STOP", "goal": "former", "seconds": 0.5}


def test_many_jobs_are_told_on_one_line() -> None:
    job = Job(1, "1", "eva", "train", "RUNNING", "main", ("n1",), 60, 1_800_000_000.0, ())
    jobs = [job._replace(shown=str(number)) for number in range(6)]
    assert told(jobs[:1]).startswith("waiting for job 0 of eva (train), until 2027-01-1")
    assert told(jobs).endswith("at most, 2 more")


def test_recover_reads_the_record_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "var/lib/slurm-mig"
    folder.mkdir(parents=True)
    (folder / "reconfigure.json").write_text("{}")
    (folder / "reconfigure.json").chmod(0o600)
    assert run(["recover", "--root", str(tmp_path)]) == 1
    assert "reconfigure.json: version: missing" in capsys.readouterr().err


def test_recover_asks_slurm_only_where_a_reconfigure_is_known(
    new_sim: Callable[..., Sim],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether slurmctld has forgotten its end; where it cannot be asked, GPUs are all there is."""
    monkeypatch.delenv("SLURM_CONF", raising=False)
    root = here(new_sim, monkeypatch)("h100-80gb=7x1g.10gb").root
    assert run(["recover", "--root", str(root)]) == 0
    loop.forward(Bench(root).run())
    assert run(["recover", "--root", str(root)]) == 0
    assert capsys.readouterr().out == "recover: nothing to do\n" * 2
