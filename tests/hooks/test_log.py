"""The line that each run leaves."""

import os
import socket
from pathlib import Path

from slurm_mig.hooks import log
from slurm_mig.hooks.log import Line
from tests.hooks.fakenode import FakeNode


def test_a_line_for_each_run(node: FakeNode) -> None:
    assert node.prolog() == node.epilog() == 0
    first, last = node.logged()
    assert " hook=prolog job=7 uid=1001 gres=" in first
    assert 'slices="gpu0.gi9.ci0"' in first
    assert "decision=ok exit=0 ms=" in first
    assert " hook=epilog " in last
    assert ((node.root / "var/log/slurm-mig/hooks.log").stat().st_mode & 0o777) == 0o640


def test_syslog_gets_it_with_its_severity(memory: Path) -> None:
    node = FakeNode(memory / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(node.root / "dev/log"))
        assert node.prolog(7, "99") == 1
        told = listener.recv(65536).decode()
    assert told.startswith(f"<{3 * 8 + log.ERROR}>slurm-mig[{os.getpid()}]: hook=prolog job=7 ")
    assert "decision=refused exit=1" in told


def test_a_syslog_that_nobody_reads_stops_nobody(memory: Path) -> None:
    node = FakeNode(memory / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(node.root / "dev/log"))
        for _ in range(400):  # more than its queue holds
            log.write(str(node.root), Line("prolog"), "")


def test_what_a_job_chose_stays_inside_its_quotes() -> None:
    line = Line("prolog")
    line.put(user='a" decision=ok\nx', empty="", plain="ab-c")
    line.warn("b\x00ad")
    text = line.text()
    assert "\n" not in text
    assert '\\" decision=ok\\nx' in text
    assert ' empty="" plain=ab-c ' in text
    assert 'notes="b\\u0000ad"' in text


def test_a_log_that_is_a_link_is_not_followed(node: FakeNode) -> None:
    folder = node.root / "var/log/slurm-mig"
    folder.mkdir()
    (folder / "hooks.log").symlink_to(node.root / "elsewhere")
    assert node.prolog() == 0
    assert not (node.root / "elsewhere").exists()


def test_a_log_folder_of_somebody_else_s_is_not_used(node: FakeNode) -> None:
    folder = node.root / "var/log/slurm-mig"
    folder.mkdir()
    os.chown(folder, 1001, 1001)
    assert node.prolog() == 0
    assert list(folder.iterdir()) == []


def test_no_file_where_none_is_wanted(node: FakeNode) -> None:
    node.settings('log_file = ""')
    assert node.prolog() == 0
    assert not (node.root / "var/log/slurm-mig").exists()
