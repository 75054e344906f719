import os
from pathlib import Path

import pytest

from slurm_mig.slurm.config.conf import Conf, read_conf
from slurm_mig.slurm.daemon_log import last_words


def conf(root: Path, line: str = "SlurmdLogFile=/log/slurmd.%n.log\n") -> Conf:
    (root / "log").mkdir(exist_ok=True)
    (root / "slurm.conf").write_text(line)
    return read_conf(root / "slurm.conf")


def say(root: Path, *lines: str) -> None:
    text = "".join(f"[2026-11-24T16:00:00.000] {line}\n" for line in lines)
    (root / "log/slurmd.n1.log").write_text(text)


def test_its_last_line(tmp_path: Path) -> None:
    read = conf(tmp_path)
    say(tmp_path, "error: one", "Slurmd shutdown completing")
    assert last_words(tmp_path, read, "n1") == "Slurmd shutdown completing"


def test_what_was_fatal_tells_more(tmp_path: Path) -> None:
    read = conf(tmp_path)
    say(tmp_path, "fatal: can't stat gres.conf file /dev/x", "debug: cleaning up")
    assert last_words(tmp_path, read, "n1") == "fatal: can't stat gres.conf file /dev/x"
    say(tmp_path, "fatal: line [4] of [/etc/slurm/gres.conf] is wrong")
    assert last_words(tmp_path, read, "n1") == "fatal: line [4] of [/etc/slurm/gres.conf] is wrong"
    say(tmp_path, "fatal: of another start", *["debug: more"] * 20)
    assert last_words(tmp_path, read, "n1") == "debug: more"


def test_only_its_end_is_read_and_nothing_of_it_is_printed_raw(tmp_path: Path) -> None:
    read = conf(tmp_path)
    say(tmp_path, *["debug: long"] * 100_000, "fatal: \x1b[31m" + "x" * 1000)
    said = last_words(tmp_path, read, "n1")
    assert said.startswith("fatal: ")
    assert len(said) <= 200
    assert said.isprintable()


@pytest.mark.parametrize("line", ["", "SlurmdLogFile=/log/none\n", "SlurmdLogFile=/log\n"])
def test_no_log_says_nothing(tmp_path: Path, line: str) -> None:
    assert last_words(tmp_path, conf(tmp_path, line), "n1") == ""


def test_an_empty_log_a_link_and_a_fifo_say_nothing(tmp_path: Path) -> None:
    read = conf(tmp_path)
    path = tmp_path / "log/slurmd.n1.log"
    path.touch()
    assert last_words(tmp_path, read, "n1") == ""
    path.unlink()
    (tmp_path / "secret").write_text("secret\n")
    path.symlink_to(tmp_path / "secret")
    assert last_words(tmp_path, read, "n1") == ""
    path.unlink()
    os.mkfifo(path)
    assert last_words(tmp_path, read, "n1") == ""
