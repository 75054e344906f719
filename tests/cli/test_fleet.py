"""`slurm-mig reconfigure NODES`: what it is told, and what it tells."""

import io
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from slurm_mig.cli import fleet, fleet_plan, fleet_table, member, run
from slurm_mig.errors import Refused, UsageError
from slurm_mig.reconfigure.fleet import files, wire
from slurm_mig.reconfigure.fleet.engine import FleetEvent, FleetWorld, Look
from slurm_mig.reconfigure.fleet.record import ENDED, HELD, ORDERED, NodeEntry, RunRecord, WaveTook
from slurm_mig.reconfigure.run import Took
from slurm_mig.slurm.version import SlurmVersion
from tests.fakes_slurm import FakeSlurm, FakeSlurmClient
from tests.reconfigure.fleet import runs
from tests.reconfigure.fleet.test_wire import LOOK


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("n1", ("n1",)),
        ("gpu[01-03]", ("gpu01", "gpu02", "gpu03")),
        ("n1,n2,n1", ("n1", "n2")),
        ("n[1-2],m", ("n1", "n2", "m")),
    ],
)
def test_node_sets(text: str, names: tuple[str, ...]) -> None:
    assert sorted(fleet.names_in(text)) == sorted(names)


@pytest.mark.parametrize("text", ["n[1-", "n1,,n2", "n[]"])
def test_what_is_no_node_set(text: str) -> None:
    with pytest.raises(UsageError, match="write it as Slurm does"):
        fleet.names_in(text)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--status", "--resume"], "stand for themselves"),
        (["--resume", "n[1-2]"], "stand for themselves"),
        (["--status", "-f", "x.yaml"], "stand for themselves"),
        (["-f", "x.yaml", "--max-unavailable", "2"], "are for many nodes"),
        (["-f", "x.yaml", "--run", "0a1b2c3d"], "--run is for --status and --resume"),
        (["n[1-2]"], "give one of --file FILE and --rollback"),
        (["n[1-2]", "--rollback", "--max-unavailable", "0"], "say how many nodes"),
        (["n[1-2]", "--rollback", "--max-failures", "0"], "max-failures"),
        (["n[1-2]", "-f", "x.yaml", "--run", "0a1b2c3d"], "--run is for --status and --resume"),
        (["n[1-2]", "--rollback", "-c", "x", "--by", "reboot"], "--config is of a FILE"),
        (["--rollback", "--by", "reboot"], "are for many nodes: name them"),
        (["--status", "--smoke"], "--status changes nothing"),
        (["--status", "--timeout", "5"], "--status changes nothing"),
        (["--resume", "--dry-run"], "stand for themselves"),
    ],
)
def test_what_contradicts_itself(
    words: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["reconfigure", *words]) == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--status"], ["--resume"], ["--status", "--run", "00000000"]])
def test_without_a_run(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["reconfigure", *words, "--root", str(tmp_path)]) == 1
    assert "was begun on this machine" in capsys.readouterr().err


def midway() -> RunRecord:
    """A run that was cut short in its first wave."""
    record = runs.record(4, at_once=3)
    one, two, three, four = record.nodes
    took = (Took("WAIT", "target", 61.25), Took("STOP", "target", 1.0), Took("DRAIN", "target", 0))
    return record._replace(
        nodes=(
            one._replace(wave=1, stage=ENDED, outcome="done", took=took),
            two._replace(wave=1, stage=ENDED, outcome="former", problem="no", next_step="mend it"),
            three._replace(wave=1, stage=HELD, phase="PUBLISH"),
            four,
        ),
        took=(WaveTook(1, "PUBLISH", 1.5),),
    )


STATUS = """\
run 0a1b2c3d to mixed, begun on ctl: interrupted
n01  wave 1    done       WAIT 61.2, STOP 1.0 s
n02  wave 1    former     no
n03  wave 1    held       PUBLISH
1 node not begun
to go on: `slurm-mig reconfigure --resume --run 0a1b2c3d`
"""


def test_the_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files.begin(tmp_path, midway())
    assert run(["reconfigure", "--status", "--root", str(tmp_path)]) == 0
    assert capsys.readouterr().out == STATUS


def test_the_status_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files.begin(tmp_path, midway())
    assert run(["reconfigure", "--status", "--json", "--root", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["version"], found["run"], found["state"]) == (1, runs.RUN, "interrupted")
    assert [node["state"] for node in found["nodes"]] == ["done", "former", "held", "waiting"]
    assert found["waves"] == [{"wave": 1, "what": "PUBLISH", "seconds": 1.5}]


def test_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    fleet_table.show_summary(midway())
    out = capsys.readouterr().out
    assert "    1.500 s  PUBLISH of wave 1\n" in out
    assert out.endswith("run 0a1b2c3d to mixed: 1 done, 1 former, 1 held, 1 waiting\n")


def test_no_table_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with fleet_table.shown() as tell:
        tell(FleetEvent("n1", 1, "DRAIN", "target", "begins"))
    assert capsys.readouterr().err == ""


def test_the_live_table_shows_the_last_wave() -> None:
    from rich.console import Console

    events = [
        FleetEvent("n1", 1, "COMMIT", "target", "ended"),
        FleetEvent("n2", 2, "WAIT", "target", "goes on", "waiting for [job] 1"),
        FleetEvent("n3", 2, "START", "former", "begins"),
        FleetEvent("", 2, "PUBLISH", "", "ended"),
    ]
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(fleet_table._live(events))
    out = console.export_text()
    assert "n1" not in out
    assert "waiting for [job] 1" in out
    assert "back: START" in out
    assert "(the wave)" in out


def world() -> FleetWorld:
    slurm = FakeSlurm(SlurmVersion(24, 11, 5))
    for name in runs.names(3):
        slurm.add(name, "gpu:1g.10gb:7")
    for name in runs.names(3):
        slurm.submit("gpu:1g.10gb:7", name)
    slurm.submit("gpu:1g.10gb:3", user="eva")
    return FleetWorld(Path("/nowhere"), FakeSlurmClient(slurm))


def looks(**changes: object) -> list[Look]:
    told = {**LOOK, "types": {"3g.40gb": 2}, **changes}
    return [Look(name, told) for name in runs.names(3)]


def test_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    fleet_plan.show(world(), runs.record(3), looks(jobs=[]), as_json=False)
    out = capsys.readouterr().out
    assert out.startswith("to mixed: 3 nodes in 2 waves, 2 at a time\nwave 1\n")
    assert "  n01  GPU 0: MIG off -> 7x1g.10gb\n" in out
    assert "strands job 4 of eva, which waits for gpu:1g.10gb:3: no node that it may use" in out
    assert "GPU-hours out of service, estimated: 0.40 at least, 0.40 at most" in out


def test_a_plan_with_a_job_without_a_limit(capsys: pytest.CaptureFixture[str]) -> None:
    fleet_plan.show(world(), runs.record(3), looks(), as_json=False)
    out = capsys.readouterr().out
    assert "  n02  waits for job 1\n" in out
    assert "no bound is known" in out


def test_a_plan_in_which_one_has_a_problem(capsys: pytest.CaptureFixture[str]) -> None:
    one, two, three = looks(changes=False, does=[], jobs=[])
    with pytest.raises(Refused, match="n03: not reached"):
        asked = [one, two, Look(three.node, {}, "not reached")]
        fleet_plan.show(world(), runs.record(3), asked, as_json=False)
    out = capsys.readouterr().out
    assert "  n01  nothing to do\n" in out
    assert "  n03  problem: not reached\n" in out


def test_a_plan_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    fleet_plan.show(world(), runs.record(3), looks(), as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["waves"] == [["n01", "n02"], ["n03"]]
    assert found["nodes"][0]["does"] == LOOK["does"]
    assert [one["job"] for one in found["stranded"]] == ["4"]
    assert found["estimate"]["gpu_hours_at_most"] is None
    assert "60 s a wave" in found["estimate"]["assumes"]


def test_a_plan_by_what_slurm_tells(capsys: pytest.CaptureFixture[str]) -> None:
    told = {"jobs": [], "way": "reboot", "exact": False, "has_types": {}}
    one, two, three = looks(**told, unknown=["the steps"])
    as_wanted = {**two.told, "changes": False, "does": ["as wanted, by Slurm's word"]}
    why = {**three.told, "types": None, "unknown": ["the steps", "what it would have: no type"]}
    asked = [one, two._replace(told=as_wanted), three._replace(told=why)]
    fleet_plan.show(world(), runs.record(3, engine="reboot"), asked, as_json=False)
    out = capsys.readouterr().out
    assert "  n02  as wanted, by Slurm's word\n" in out
    assert "nothing to do" not in out
    after = out.partition("only the nodes themselves can tell\n")[2]
    assert after.startswith("  the steps\n  what it would have: no type (of n03)\n")
    assert "GPU-hours out of service, estimated: 0.40 at least, no bound is known" in out


def test_for_whom_there_may_be_enough_is_not_stranded(capsys: pytest.CaptureFixture[str]) -> None:
    """How many slices there will be is not known: which types, is."""
    few = {"types": {"1g.10gb": 1}, "jobs": []}
    for exact, count in ((True, 1), (False, 0)):
        fleet_plan.show(world(), runs.record(3), looks(**few, exact=exact), as_json=True)
        assert len(json.loads(capsys.readouterr().out)["stranded"]) == count
    gone = looks(types={"7g.80gb": 1}, jobs=[], exact=False)
    fleet_plan.show(world(), runs.record(3), gone, as_json=True)
    assert len(json.loads(capsys.readouterr().out)["stranded"]) == 1


def test_what_is_no_order(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "order").write_text("hello")
    with (tmp_path / "order").open() as text:
        monkeypatch.setattr("sys.stdin", text)
        assert run(["member"]) == 1
    assert "no order of a slurm-mig of this version" in capsys.readouterr().err


def test_a_member_is_in_no_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    assert "member" not in capsys.readouterr().out


def waits_for(begun: Path, gone: Path, done: Path) -> Callable[[], int]:
    """An act that makes `begun`, waits until there is `gone`, and then makes `done`."""

    def act() -> int:
        begun.touch()
        while not gone.exists():
            time.sleep(0.01)
        done.write_text("in a session of its own" if os.getsid(0) == os.getpid() else "")
        return 7

    return act


def there(file: Path) -> bool:
    """Whether there is a file with something in it, after a while."""
    end = time.monotonic() + 60
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.01)
    return file.exists()


def test_a_member_goes_on_when_who_waits_for_it_is_killed(tmp_path: Path) -> None:
    begun, gone, done = (tmp_path / name for name in ("begun", "gone", "done"))
    waiting = os.fork()
    if waiting == 0:
        os._exit(member._detached(waits_for(begun, gone, done)))
    assert there(begun)
    os.kill(waiting, signal.SIGKILL)
    os.waitpid(waiting, 0)
    gone.touch()
    assert there(done)


def test_its_code_is_told_to_who_waits(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.touch()
    done = tmp_path / "done"
    assert member._detached(waits_for(tmp_path / "begun", gone, done)) == 7
    assert done.read_text() == "in a session of its own"


def test_a_bug_of_a_member_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    def bug() -> int:
        raise ZeroDivisionError

    assert member._detached(bug) == 3
    assert "this is a bug in slurm-mig" in capfd.readouterr().err


def test_what_a_node_says_is_told_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    entry = NodeEntry("n1", 1, ORDERED, phase="WAIT", problem="waiting for job 1")
    fleet_table.show_status(runs.record()._replace(nodes=(entry,)), in_progress=True)
    out = capsys.readouterr().out
    assert "in progress\nn1  wave 1    ordered    WAIT waiting for job 1\n" in out
    assert wire.HELD == HELD
