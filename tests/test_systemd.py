"""The drop-in of slurmd's unit and our own: systemd takes them, and they run what there is."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from slurm_mig.cli import COMMANDS
from slurm_mig.gpu.change import committed, journal, state_files
from slurm_mig.settings import Settings

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


APPLY = Path(__file__).resolve().parents[1] / "systemd/slurm-mig-apply.service"


def apply_unit() -> _Unit:
    unit = _Unit(strict=False)
    unit.read_string(APPLY.read_text())
    return unit


def test_the_committed_layout_is_made_once_and_before_slurmd() -> None:
    unit = apply_unit()
    program, command, option = unit["Service"]["ExecStart"].split()
    assert (program, option) == ("slurm-mig", "--committed")
    assert command in COMMANDS
    assert unit["Service"]["Type"] == "oneshot"
    assert unit["Service"]["RemainAfterExit"] == "yes"
    assert "Restart" not in unit["Service"]
    assert unit["Service"]["KillMode"] == "mixed"
    assert "slurmd.service" in unit["Unit"]["Before"].split()
    assert unit["Install"]["WantedBy"] == "multi-user.target"


def test_the_daemons_that_apply_stops_do_not_come_before_it() -> None:
    before = apply_unit()["Unit"]["Before"].split()
    assert set(Settings().clients) <= set(before)
    assert set(Settings().clients_if_blocking) <= set(apply_unit()["Unit"]["After"].split())


def test_it_runs_where_there_is_something_to_do() -> None:
    text = APPLY.read_text()
    for name in (committed.NAME, journal.NAME):
        assert f"ConditionPathExists=|{state_files.FOLDER}/{name}\n" in text


def test_it_has_the_time_that_eight_resets_take() -> None:
    settings = Settings()
    minutes = int(apply_unit()["Service"]["TimeoutStartSec"].removesuffix("min"))
    assert minutes * 60 > 8 * settings.reset_timeout_s


def test_systemd_has_nothing_against_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze on this machine")
    text = APPLY.read_text().replace("ExecStart=slurm-mig", "ExecStart=/bin/true")
    (tmp_path / APPLY.name).write_text(text)
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(tmp_path / APPLY.name)],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


MONITOR = Path(__file__).resolve().parents[1] / "systemd/slurm-mig-monitor.service"


def monitor_unit() -> _Unit:
    unit = _Unit(strict=False)
    unit.read_string(MONITOR.read_text())
    return unit


def test_the_monitor_is_watched_and_started_again() -> None:
    service = monitor_unit()["Service"]
    program, command = service["ExecStart"].split()
    assert program == "slurm-mig"
    assert command in COMMANDS
    assert (service["Type"], service["Restart"]) == ("notify", "always")
    assert int(service["WatchdogSec"]) >= 30
    assert monitor_unit()["Install"]["WantedBy"] == "multi-user.target"


def test_the_monitor_has_what_it_needs_and_is_denied_no_gpu() -> None:
    service = monitor_unit()["Service"]
    assert "CAP_SYS_ADMIN" in service["CapabilityBoundingSet"].split()  # the driver asks for it
    assert service["ReadWritePaths"] == "/run"
    # Each of these would hide or deny /dev/nvidia*, or a job's cgroup.
    for key in ("PrivateDevices", "ProtectClock", "ProtectControlGroups", "DeviceAllow", "User"):
        assert key not in service


def test_a_partitioning_stops_the_monitor() -> None:
    assert MONITOR.name in Settings().clients


def test_systemd_has_nothing_against_the_monitors_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze on this machine")
    text = MONITOR.read_text().replace("ExecStart=slurm-mig", "ExecStart=/bin/true")
    (tmp_path / MONITOR.name).write_text(text)
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(tmp_path / MONITOR.name)],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
