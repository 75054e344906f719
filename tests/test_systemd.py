"""The drop-in of slurmd's unit: systemd takes it, and it runs commands that there are."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from slurm_mig.cli import COMMANDS

DROP_IN = Path(__file__).resolve().parents[1] / "systemd/slurmd.service.d/slurm-mig.conf"
UNIT = "[Unit]\nDescription=slurmd\n[Service]\nExecStart=/bin/sleep 9\n"


class _Unit(configparser.RawConfigParser):
    """Keys as they are written; the same key may come twice."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def test_it_runs_gres_map_before_and_after_and_lets_slurmd_start_without() -> None:
    unit = _Unit(strict=False)
    unit.read_string(DROP_IN.read_text())
    assert unit.sections() == ["Service"]
    for key in ("ExecStartPre", "ExecStartPost"):
        program, command = unit["Service"][key].split()
        assert program == "-slurm-mig"
        assert command in COMMANDS
    assert set(unit["Service"]) == {"ExecStartPre", "ExecStartPost"}


def test_systemd_has_nothing_against_it(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:  # a machine without systemd: the test above still read it
        pytest.skip("no systemd-analyze on this machine")
    (tmp_path / "slurmd.service").write_text(UNIT)
    shutil.copytree(DROP_IN.parent, tmp_path / DROP_IN.parent.name)
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(tmp_path / "slurmd.service")],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
