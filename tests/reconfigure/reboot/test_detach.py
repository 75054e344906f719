"""A process that outlives RebootProgram: another session, none of its handles, a log."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from slurm_mig.errors import SlurmMigError
from slurm_mig.reconfigure.reboot import detach

LOG = "var/log/slurm-mig/reboot.log"
# Started as slurmd does it, in a process group of its own, which is killed when it has ended.
_STARTER = """
import sys
from pathlib import Path
from slurm_mig.reconfigure.reboot.detach import detached
detached(Path(sys.argv[1]), sys.argv[2:])
"""


def until(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


def said(root: Path) -> str:
    file = root / LOG
    return file.read_text() if file.exists() else ""


def test_it_goes_on_when_its_starter_s_group_is_killed(tmp_path: Path) -> None:
    script = f"while [ ! -e {tmp_path}/go ]; do sleep .05; done; echo went on; ps -o sid= -p $$"
    words = [sys.executable, "-c", _STARTER, str(tmp_path), "/bin/sh", "-c", script]
    with subprocess.Popen(words, process_group=0, stdout=subprocess.PIPE) as starter:
        assert starter.wait(20) == 0
        with contextlib.suppress(ProcessLookupError):
            os.killpg(starter.pid, signal.SIGKILL)
        assert starter.stdout is not None
        assert starter.stdout.read() == b""  # it holds no handle of ours open
    (tmp_path / "go").touch()
    assert until(lambda: "went on" in said(tmp_path))
    assert until(lambda: said(tmp_path).count("\n") == 2)
    assert said(tmp_path).split()[-1] != str(os.getsid(0))


def test_what_cannot_be_started_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SlurmMigError, match="/nonexistent"):
        detach.detached(tmp_path, ["/nonexistent/program"])


def test_it_has_no_handle_but_its_own(tmp_path: Path) -> None:
    inherited = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(inherited, True)
    try:
        detach.detached(tmp_path, ["/bin/sh", "-c", "ls /proc/self/fd | wc -l; echo end"])
    finally:
        os.close(inherited)
    assert until(lambda: "end" in said(tmp_path))
    assert said(tmp_path).split() == ["4", "end"]  # three, and the folder that ls reads


def test_nothing_is_blocked_in_it(tmp_path: Path) -> None:
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        detach.detached(tmp_path, ["/bin/sh", "-c", "grep SigBlk /proc/self/status"])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    assert until(lambda: "SigBlk" in said(tmp_path))
    assert int(said(tmp_path).split()[1], 16) == 0


def test_the_log_has_lines_of_time_and_text(tmp_path: Path) -> None:
    detach.log(tmp_path, "n1: to mixed,\nrun x")
    detach.log(tmp_path, "ü \udcff")
    first, second = said(tmp_path).splitlines()
    assert first.endswith("Z n1: to mixed, run x")
    assert second.endswith("Z ü ?")
    assert (tmp_path / LOG).stat().st_mode & 0o777 == 0o640


def test_a_log_that_is_a_link_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / LOG).parent.mkdir(parents=True)
    (tmp_path / "precious").write_text("precious")
    (tmp_path / LOG).symlink_to(tmp_path / "precious")
    detach.log(tmp_path, "x")
    with pytest.raises(SlurmMigError, match=r"reboot\.log"):
        detach.open_log(tmp_path)
    assert (tmp_path / "precious").read_text() == "precious"


def test_systemd_is_given_what_slurm_needs() -> None:
    variables = {"SLURM_CONF": "/etc/x.conf", "SLURM_NODE_NAME": "n1", "LD_PRELOAD": "evil"}
    words = detach.as_unit(["/usr/bin/python3", "-I"], variables)
    assert words[:4] == ("systemd-run", "--quiet", "--collect", "--no-block")
    assert words[-3:] == ("--", "/usr/bin/python3", "-I")
    assert "--setenv=SLURM_CONF=/etc/x.conf" in words
    assert not any("evil" in word for word in words)


def test_without_a_systemd_that_answers_it_is_a_session_of_its_own(tmp_path: Path) -> None:
    """Here is none, so that systemd-run fails or is not there."""
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    detach.detached(tmp_path, ["/bin/echo", "by ourselves"])
    assert until(lambda: "by ourselves" in said(tmp_path))
