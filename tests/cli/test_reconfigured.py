"""The table on a terminal, in a real pseudo-terminal; and that elsewhere nothing is shown."""

import os
import pty
import sys
from pathlib import Path

import pytest

from slurm_mig.cli.reconfigured import shown
from slurm_mig.reconfigure.world import Event

EVENTS = (
    Event("DRAIN", "target", "begins"),
    Event("DRAIN", "target", "ended", "", 0.25),
    Event("WAIT", "target", "goes on", "waiting for job 7 of eva"),
    Event("WAIT", "target", "failed", "no [red]time[/red]", 61.0),
    Event("START", "former", "begins"),
)


def on_a_terminal() -> str:
    """What a process with these events writes to its terminal."""
    pid, handle = pty.fork()
    if pid == 0:
        code = 1
        try:
            os.environ |= {"TERM": "xterm", "COLUMNS": "120"}
            sys.stderr = os.fdopen(2, "w", closefd=False)  # pytest has put another there
            with shown() as watch:
                for event in EVENTS:
                    watch(event)
            code = 0
        finally:
            os._exit(code)
    text = b""
    try:
        while more := os.read(handle, 1 << 16):
            text += more
    except OSError:  # the terminal is gone with the process
        pass
    os.close(handle)
    assert os.waitpid(pid, 0)[1] == 0, text
    return text.decode()


def test_each_phase_has_a_line_while_it_goes_on() -> None:
    text = on_a_terminal()
    assert "0.2 s" in text
    assert "waiting for job 7 of eva" in text
    assert "61.0 s" in text
    assert "back: START" in text
    assert text.endswith("\x1b[2K") or "\x1b[1A" in text  # it is gone at the end


def test_elsewhere_nothing_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "stderr").open("w") as file:
        monkeypatch.setattr(sys, "stderr", file)
        with shown() as watch:
            for event in EVENTS:
                watch(event)
    assert (tmp_path / "stderr").read_text() == ""
