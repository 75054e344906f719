"""The accounting adapter over stand-in commands: what it runs, and what it refuses to."""

from pathlib import Path

import pytest

from slurm_mig.errors import SlurmError, SlurmNotAnswering, SlurmRefused
from slurm_mig.slurm.controller.sacct import SacctAccounting
from slurm_mig.slurm.version import SlurmVersion


class Commands:
    """sacct and sacctmgr on a PATH of their own; each notes with what it was called."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "log"
        self.write("sacct", "")
        self.write("sacctmgr", "")
        self.accounting = SacctAccounting(f"{folder}:/usr/bin:/bin", timeout_s=10)

    def write(self, name: str, text: str) -> None:
        note = f'for word in {name} "$@"; do printf \'%s\\n\' "$word"; done >{self.log}'
        (self.folder / name).write_text(f"#!/bin/sh\n{note}\n{text}\n")
        (self.folder / name).chmod(0o755)

    def ran(self) -> list[str]:
        return self.log.read_text().splitlines()


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(tmp_path)


def test_jobs_are_asked_for_by_their_ids(commands: Commands) -> None:
    assert commands.accounting.jobs([7, 8], "tiger") == {}
    words = commands.ran()
    assert words[:3] == ["sacct", "--noheader", "--parsable"]
    assert words[-2:] == ["--jobs=7,8", "--clusters=tiger"]
    assert words[3].startswith("--delimiter=x")
    assert len(words[3]) > 20


def test_the_separator_is_another_each_time(commands: Commands) -> None:
    commands.accounting.jobs([7], None)
    first = commands.ran()
    commands.accounting.jobs([7], None)
    assert first[3] != commands.ran()[3]
    assert not [word for word in first if word.startswith("--clusters")]


def test_no_jobs_are_no_question(commands: Commands) -> None:
    assert commands.accounting.jobs([], None) == {}
    assert not commands.log.exists()  # sacct without ids would tell of all of today's


def test_a_comment_is_one_word_of_the_command(commands: Commands) -> None:
    commands.accounting.set_admin_comment("7", "tiger", "JS1:a b;c")
    assert commands.ran() == [
        *("sacctmgr", "--immediate", "update", "job", "where", "jobid=7", "cluster=tiger"),
        *("set", "AdminComment=JS1:a b;c"),
    ]


def test_a_task_of_an_array_is_named_as_such(commands: Commands) -> None:
    for shown in ("7_2", "7+1"):
        commands.accounting.set_admin_comment(shown, None, "x")
        assert f"jobid={shown}" in commands.ran()
    for shown in ("", "7_[1-2]", "7,8", "7 8", "all", "-7", "7\n", "7_2_3"):
        with pytest.raises(SlurmError, match="no name of one job"):
            commands.accounting.set_admin_comment(shown, None, "x")


@pytest.mark.parametrize("cluster", ["", "-a", "a,b", "a b", "all=x", "a\n", "é"])
def test_what_is_no_cluster_is_never_given_to_a_command(commands: Commands, cluster: str) -> None:
    with pytest.raises(SlurmError, match="no name of a cluster"):
        commands.accounting.jobs([7], cluster)
    with pytest.raises(SlurmError, match="no name of a cluster"):
        commands.accounting.set_admin_comment("7", cluster, "x")
    assert not commands.log.exists()


def test_the_release(commands: Commands) -> None:
    commands.write("sacctmgr", "echo 'slurm-wlm 24.11.5'")
    assert commands.accounting.version() == SlurmVersion(24, 11, 5)
    commands.write("sacctmgr", "echo what")
    with pytest.raises(SlurmError, match="tells no version"):
        commands.accounting.version()


def test_a_database_that_is_down_and_one_that_refuses(commands: Commands) -> None:
    commands.write("sacct", "echo 'error: Sending PersistInit msg: Connection refused' >&2; exit 1")
    with pytest.raises(SlurmNotAnswering):
        commands.accounting.jobs([7], None)
    commands.write("sacctmgr", "echo ' Nothing modified' >&2; exit 1")
    with pytest.raises(SlurmRefused, match="Nothing modified"):
        commands.accounting.set_admin_comment("7", None, "x")
