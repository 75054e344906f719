from pathlib import Path

import pytest

from slurm_mig.errors import NoSuchNode, SlurmError, SlurmNotAnswering
from slurm_mig.slurm.scontrol import ask, both_streams, installed_version, run, slurmd_list
from slurm_mig.slurm.version import SlurmVersion


def program(folder: Path, text: str, name: str = "slurmd") -> str:
    """A stand-in for a Slurm command; returns the PATH that finds it."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def test_the_version_is_what_slurmd_says(tmp_path: Path) -> None:
    path = program(tmp_path, 'test "$1" = -V && echo slurm-wlm 22.05.8')
    assert installed_version(path) == SlurmVersion(22, 5, 8)


def test_without_slurm_the_way_on_is_told(tmp_path: Path) -> None:
    with pytest.raises(SlurmError, match=r"slurmd is not installed .*; give --slurm-version"):
        installed_version(str(tmp_path))


def test_a_slurmd_that_says_something_else(tmp_path: Path) -> None:
    path = program(tmp_path, "echo hello")
    with pytest.raises(SlurmError, match=r"'hello'.*give --slurm-version"):
        installed_version(path)


def test_a_failure_is_told_with_the_last_line_of_stderr(tmp_path: Path) -> None:
    path = program(tmp_path, "echo one >&2; echo two >&2; exit 3")
    with pytest.raises(SlurmError, match=r"`slurmd -G` failed with 3: two$"):
        run(["slurmd", "-G"], path=path)


def test_a_wait_has_an_end(tmp_path: Path) -> None:
    path = program(tmp_path, "exec sleep 30")
    with pytest.raises(SlurmError, match=r"did not end within 0\.1 s"):
        run(["slurmd", "-V"], timeout_s=0.1, path=path)


def test_what_cannot_be_started(tmp_path: Path) -> None:
    (tmp_path / "slurmd").write_text("#!/nowhere/sh\n")
    (tmp_path / "slurmd").chmod(0o755)
    with pytest.raises(SlurmError, match="could not be started"):
        run(["slurmd"], path=str(tmp_path))


def test_commands_get_no_environment_but_where_slurm_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LD_PRELOAD_X", "SLURM_CONF"):
        monkeypatch.setenv(name, "1")
    path = program(tmp_path, "env")
    names = {line.partition("=")[0] for line in run(["slurmd"], path=path).splitlines()}
    assert names - {"PWD", "_", "SHLVL", "OLDPWD"} == {"PATH", "LC_ALL", "TZ", "SLURM_CONF"}


def test_slurmd_s_list_is_what_it_says_on_both_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it prints differs by release; it sees what the running slurmd sees."""
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/nvidia")
    path = program(tmp_path, 'echo "$@"; echo "$LD_LIBRARY_PATH $LC_ALL" >&2')
    assert slurmd_list(["-N", "n1"], path) == "-G -N n1\n/opt/nvidia C\n"


def test_slurmd_s_list_can_fail(tmp_path: Path) -> None:
    path = program(tmp_path, "echo 'fatal: no such file' >&2; exit 1")
    with pytest.raises(SlurmError, match=r"`slurmd -G` failed with 1: fatal: no such file"):
        slurmd_list([], path)


def test_what_asks_slurmctld_is_told_where_it_is_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQUEUE_FORMAT and the like would change what is printed; times are in UTC."""
    for name in ("SQUEUE_FORMAT", "SLURM_TIME_FORMAT", "SLURM_CLUSTERS", "SLURM_CONF"):
        monkeypatch.setenv(name, "x")
    path = program(tmp_path, "env", "squeue")
    found = dict(line.split("=", 1) for line in ask(["squeue"], 5, path).splitlines())
    assert set(found) - {"PWD", "_", "SHLVL", "OLDPWD"} == {"PATH", "LC_ALL", "TZ", "SLURM_CONF"}
    assert (found["TZ"], found["LC_ALL"]) == ("UTC0", "C")


def test_bytes_that_are_no_text_are_no_error(tmp_path: Path) -> None:
    path = program(tmp_path, r"printf 'a\377b\n'", "squeue")
    assert ask(["squeue"], 5, path) == "a\N{REPLACEMENT CHARACTER}b\n"


def test_too_slow_is_not_answering(tmp_path: Path) -> None:
    path = program(tmp_path, "exec sleep 30", "scontrol")
    with pytest.raises(SlurmNotAnswering, match=r"did not end within 0\.1 s") as told:
        ask(["scontrol", "update"], 0.1, path)
    assert not told.value.unsent


def test_what_it_complains_of_decides(tmp_path: Path) -> None:
    path = program(tmp_path, "echo 'Invalid node name specified' >&2; exit 1", "scontrol")
    with pytest.raises(NoSuchNode, match=r"^`scontrol update nodename=x` failed with 1: Invalid"):
        ask(["scontrol", "update", "nodename=x", "reason=a long one"], 5, path)


def test_a_complaint_on_standard_output_counts(tmp_path: Path) -> None:
    path = program(tmp_path, "echo Node x not found; exit 1", "scontrol")
    with pytest.raises(NoSuchNode):
        ask(["scontrol"], 5, path)


def test_both_streams_and_were_it_a_failure(tmp_path: Path) -> None:
    path = program(tmp_path, "echo one; echo two >&2; exit 1", "scontrol")
    assert both_streams(["scontrol", "ping"], path) == "one\ntwo\n"
