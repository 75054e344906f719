"""Daemons around a change: whatever happens, those that ran before run afterwards, or are named."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from slurm_mig.errors import Refused
from slurm_mig.gpu.change.clients import FILE, running, start_again, stopped
from slurm_mig.settings import Settings, parse
from tests.gpu.daemons import Daemons, config

DCGM, EXPORTER, NVSM = "nvidia-dcgm.service", "dcgm-exporter.service", "nvsm.service"
ALL = (DCGM, EXPORTER, NVSM)


@pytest.fixture
def daemons(tmp_path: Path) -> Daemons:
    return Daemons(tmp_path / "daemons", *ALL)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/run").mkdir(parents=True)
    return tmp_path / "root"


def record(root: Path) -> Path:
    return root / FILE.lstrip("/")


def write_record(root: Path, text: str) -> None:
    record(root).parent.mkdir(exist_ok=True)
    record(root).write_text(text)


def test_all_that_run_are_stopped_and_started_in_reverse(root: Path, daemons: Daemons) -> None:
    with stopped(root, daemons.settings, ALL) as stopping:
        assert daemons.running() == set()
        assert stopping.units == ALL
        assert json.loads(record(root).read_text())["units"] == list(ALL)
    assert stopping.failed == ()
    assert daemons.done() == [
        *(f"stop {unit}" for unit in ALL),
        *(f"start {unit}" for unit in reversed(ALL)),
    ]
    assert not record(root).exists()


def test_what_did_not_run_is_not_started(root: Path, daemons: Daemons) -> None:
    (daemons.folder / f"{EXPORTER}.running").unlink()
    with stopped(root, daemons.settings, ALL):
        pass
    assert daemons.running() == {DCGM, NVSM}
    assert f"start {EXPORTER}" not in daemons.done()


def test_where_none_runs_nothing_is_written(root: Path, tmp_path: Path) -> None:
    daemons = Daemons(tmp_path / "none")
    with stopped(root, daemons.settings, ALL) as stopping:
        assert not record(root).exists()
    assert (stopping.units, daemons.done()) == ((), [])


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_a_failure_inside_starts_them_too(
    error: type[BaseException], root: Path, daemons: Daemons
) -> None:
    with pytest.raises(error), stopped(root, daemons.settings, ALL):
        raise error
    assert daemons.running() == set(ALL)


def test_an_interrupt_of_the_start_itself_starts_them_all_the_same(
    root: Path, daemons: Daemons
) -> None:
    script = daemons.folder / "interrupting"
    start = daemons.settings.start_command[0]
    script.write_text(
        f"#!/bin/sh\nmkdir {daemons.folder}/once && kill -INT $PPID && sleep 5\nexec {start} $1\n"
    )
    script.chmod(0o755)
    settings = daemons.settings._replace(start_command=(str(script), "{unit}"))
    with pytest.raises(KeyboardInterrupt), stopped(root, settings, ALL):
        pass
    assert daemons.running() == set(ALL)
    assert not record(root).exists()


def test_one_that_does_not_start_again_is_told_and_stays_written_down(
    root: Path, daemons: Daemons
) -> None:
    daemons.mark(EXPORTER, "broken")
    with stopped(root, daemons.settings, ALL) as stopping:
        pass
    (failed,) = stopping.failed
    assert failed.startswith(f"{EXPORTER} was stopped and did not start again: `")
    assert failed.endswith(f" failed with 5: cannot start {EXPORTER}")
    assert daemons.running() == {DCGM, NVSM}
    (daemons.folder / f"{EXPORTER}.broken").unlink()
    assert start_again(root, daemons.settings) == ()
    assert daemons.running() == set(ALL)
    assert not record(root).exists()


def test_one_that_does_not_start_again_after_a_failure_is_a_note_on_it(
    root: Path, daemons: Daemons
) -> None:
    daemons.mark(DCGM, "broken")
    with pytest.raises(ZeroDivisionError) as error, stopped(root, daemons.settings, ALL):
        raise ZeroDivisionError
    (note,) = error.value.__notes__
    assert note.startswith(f"{DCGM} was stopped and did not start again")


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("refusing", f"{EXPORTER} could not be stopped: .*: will not"),
        ("hanging", f"{EXPORTER} could not be stopped: .* did not end within"),
        ("stubborn", f"{EXPORTER} runs on, though it was stopped"),
    ],
)
def test_one_that_does_not_stop_refuses_and_the_others_run_again(
    kind: str, why: str, root: Path, daemons: Daemons
) -> None:
    daemons.mark(EXPORTER, kind)
    settings = daemons.settings._replace(stop_timeout_s=1.0)
    with pytest.raises(Refused, match=why), stopped(root, settings, ALL):
        raise AssertionError("the change must not begin")
    assert daemons.running() == set(ALL)
    assert not record(root).exists()


def test_one_of_which_nobody_can_tell_refuses_before_anything_is_stopped(
    root: Path, daemons: Daemons
) -> None:
    daemons.mark(NVSM, "unknown")
    with (
        pytest.raises(Refused, match=rf"whether {NVSM} runs could not be told \(99\)"),
        stopped(root, daemons.settings, ALL),
    ):
        raise AssertionError("the change must not begin")
    assert daemons.done() == []


KILLED = """\
import os, signal, sys
from pathlib import Path
from slurm_mig.gpu.change.clients import stopped
from slurm_mig.settings import parse
with stopped(Path(sys.argv[1]), parse(sys.argv[2]), sys.argv[3:]):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def kill_midway(root: Path, daemons: Daemons) -> None:
    words = [sys.executable, "-c", KILLED, str(root), config(daemons.settings), *ALL]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    assert daemons.running() == set()


def test_after_a_kill_they_are_started_from_the_record(root: Path, daemons: Daemons) -> None:
    kill_midway(root, daemons)
    assert start_again(root, daemons.settings) == ()
    assert daemons.running() == set(ALL)
    daemons.done()
    assert start_again(root, daemons.settings) == ()
    assert daemons.done() == []


def test_after_a_kill_the_next_change_starts_them_too(root: Path, daemons: Daemons) -> None:
    kill_midway(root, daemons)
    with stopped(root, daemons.settings, ALL) as stopping:
        assert stopping.units == ALL
    assert daemons.running() == set(ALL)


def test_what_was_stopped_in_another_boot_is_not_started(root: Path, daemons: Daemons) -> None:
    kill_midway(root, daemons)
    (root / "proc/sys/kernel/random").mkdir(parents=True)
    (root / "proc/sys/kernel/random/boot_id").write_text("another\n")
    assert start_again(root, daemons.settings) == ()
    assert daemons.running() == set()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"boot_id":"x","units":["--now.service"]}', '{"units":[]}']
)
def test_a_damaged_record_refuses_and_runs_nothing(text: str, root: Path, daemons: Daemons) -> None:
    write_record(root, text)
    (problem,) = start_again(root, daemons.settings)
    assert problem.startswith(f"{FILE}: ")
    assert problem.endswith(": start your GPU clients by hand, then remove it")
    with pytest.raises(Refused, match="by hand"), stopped(root, daemons.settings, ALL):
        raise AssertionError("the change must not begin")
    assert daemons.done() == []


def test_links_in_run_are_not_followed(root: Path, daemons: Daemons, tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text(json.dumps({"boot_id": "x", "units": ["evil.service"]}))
    record(root).parent.mkdir()
    record(root).symlink_to(tmp_path / "theirs")
    assert "by hand" in start_again(root, daemons.settings)[0]
    assert daemons.done() == []


def test_a_record_of_somebody_else_s_is_not_believed(root: Path, daemons: Daemons) -> None:
    write_record(root, "{}")
    os.chown(record(root), 1001, 1001)
    assert "not root's alone" in start_again(root, daemons.settings)[0]


def test_what_cannot_be_written_down_is_not_stopped(root: Path, daemons: Daemons) -> None:
    record(root).mkdir(parents=True)
    (record(root) / "in the way").touch()
    with pytest.raises(Refused, match=FILE), stopped(root, daemons.settings, ALL):
        raise AssertionError("the change must not begin")
    record(root).parent.chmod(0o777)
    with pytest.raises(Refused, match="not root's alone"), stopped(root, daemons.settings, ALL):
        raise AssertionError("the change must not begin")
    assert daemons.done() == []


def test_a_record_that_cannot_be_renewed_is_told(root: Path, daemons: Daemons) -> None:
    with stopped(root, daemons.settings, ALL) as stopping:
        record(root).parent.chmod(0o777)
    assert len(stopping.failed) == 1
    assert "not root's alone" in stopping.failed[0]


def test_a_machine_without_systemd_has_no_units(root: Path) -> None:
    assert running(root, Settings(), ALL) == []


@pytest.mark.parametrize(
    ("answer", "runs"),
    [
        ("echo active", True),
        ("echo activating; exit 3", True),
        ("echo reloading; exit 3", True),
        ("echo inactive; exit 3", False),
        ("echo failed; exit 3", False),
        ("echo inactive; exit 4", False),
        ("echo deactivating; exit 3", False),
        ("exit 1", False),
    ],
)
def test_what_counts_as_running(answer: str, runs: bool, root: Path, tmp_path: Path) -> None:
    script = tmp_path / "ctl"
    script.write_text(f"#!/bin/sh\n{answer}\n")
    script.chmod(0o755)
    settings = parse(f'[partition]\nactive_command = ["{script}", "{{unit}}"]\n')
    assert running(root, settings, [DCGM, DCGM]) == ([DCGM] if runs else [])


def test_systemctl_that_does_not_reach_systemd_is_no_answer(root: Path, tmp_path: Path) -> None:
    (root / "run/systemd/system").mkdir(parents=True)
    script = tmp_path / "ctl"
    script.write_text("#!/bin/sh\necho 'Failed to connect to bus' >&2; exit 1\n")
    script.chmod(0o755)
    settings = Settings(active_command=(str(script), "{unit}"))
    with pytest.raises(Refused, match="Failed to connect to bus"), stopped(root, settings, ALL):
        raise AssertionError("the change must not begin")
