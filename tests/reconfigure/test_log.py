"""One line a phase, and nothing that stops a reconfigure."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from slurm_mig.reconfigure import log
from slurm_mig.reconfigure.world import Event

ENDED = Event("STOP", "target", "ended", "", 1.23456)


def lines(root: Path) -> list[dict[str, Any]]:
    file = root / "var/log/slurm-mig/reconfigure.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_phase_that_is_over(memory: Path) -> None:
    log.write(memory, "n1", "a1b2", ENDED)
    log.write(memory, "n1", "a1b2", Event("START", "former", "failed", 'no "slurmd"\nhere', 2.0))
    first, second = lines(memory)
    assert first.pop("time").endswith("Z")
    assert first == {
        "version": 1,
        "node": "n1",
        "run": "a1b2",
        "phase": "STOP",
        "goal": "target",
        "state": "ended",
        "seconds": 1.235,
    }
    assert second["problem"] == 'no "slurmd"\nhere'


@pytest.mark.parametrize("state", ["begins", "goes on"])
def test_one_that_is_not_is_not_told(memory: Path, state: str) -> None:
    log.write(memory, "n1", "a1b2", Event("WAIT", "target", state))
    assert not (memory / "var").exists()


def test_its_modes(memory: Path) -> None:
    log.write(memory, "n1", "a1b2", ENDED)
    folder = memory / "var/log/slurm-mig"
    assert folder.stat().st_mode & 0o777 == 0o755
    assert (folder / log.NAME).stat().st_mode & 0o777 == 0o640


def test_what_is_there_is_kept(memory: Path) -> None:
    for _ in range(3):
        log.write(memory, "n1", "a1b2", ENDED)
    assert len(lines(memory)) == 3


def test_a_link_is_not_followed(memory: Path) -> None:
    folder = memory / "var/log/slurm-mig"
    folder.mkdir(parents=True)
    (memory / "target").write_text("")
    (folder / log.NAME).symlink_to(memory / "target")
    log.write(memory, "n1", "a1b2", ENDED)
    assert (memory / "target").read_text() == ""


def test_a_pipe_does_not_hang_it(memory: Path) -> None:
    folder = memory / "var/log/slurm-mig"
    folder.mkdir(parents=True)
    os.mkfifo(folder / log.NAME)
    log.write(memory, "n1", "a1b2", ENDED)


def test_a_folder_that_others_write_to_is_not_used(memory: Path) -> None:
    folder = memory / "var/log/slurm-mig"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    log.write(memory, "n1", "a1b2", ENDED)
    assert list(folder.iterdir()) == []


def test_a_log_that_cannot_be_written_stops_nothing(memory: Path) -> None:
    (memory / "var").write_text("no folder")
    log.write(memory, "n1", "a1b2", ENDED)
