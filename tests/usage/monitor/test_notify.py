"""What systemd is told, and that nobody needs it."""

import os
import socket
from pathlib import Path

import pytest

from slurm_mig.usage.monitor.notify import Notify


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_hears_it(tmp_path: Path, abstract: bool) -> None:
    name = f"@slurm-mig-test-{os.getpid()}" if abstract else str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(f"\0{name[1:]}" if abstract else name)
        notify = Notify({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000"})
        assert notify.watchdog_s == 3.0
        notify.tell("READY=1", "STATUS=asleep")
        assert channel.recv(100) == b"READY=1\nSTATUS=asleep"


def test_without_systemd_nothing_happens(tmp_path: Path) -> None:
    for environ in ({}, {"NOTIFY_SOCKET": str(tmp_path / "nobody")}):
        Notify(environ).tell("READY=1")
    assert Notify({}).watchdog_s is None
    assert Notify({"WATCHDOG_USEC": "3000000"}).watchdog_s is None  # nobody to tell


def test_the_watchdog_of_another_process_is_not_ours() -> None:
    environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}
    assert Notify(environ).watchdog_s is None
    mine = {**environ, "WATCHDOG_PID": str(os.getpid())}
    assert Notify(mine).watchdog_s == 1.0


def test_a_listener_that_is_full_keeps_nobody_waiting(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "socket"))
        notify = Notify({"NOTIFY_SOCKET": str(tmp_path / "socket")})
        for _ in range(5000):
            notify.tell("WATCHDOG=1")
