"""[partition] of config.toml: right, absent, and with every kind of mistake."""

import os
import re
from pathlib import Path

import pytest

from slurm_mig import settings
from slurm_mig.errors import Refused
from slurm_mig.hooks import settings as hooks_settings
from slurm_mig.settings import Settings, load, parse

WHOLE = """\
[hooks]
leftovers = "log"

[partition]
reset_command = ["/usr/bin/nvidia-smi", "--gpu-reset", "-i", "{bus_id}"]
clients = ["nvidia-dcgm.service", "telegraf@gpu.service"]
clients_if_blocking = []
stop_command = ["rc-service", "{unit}", "stop"]
start_command = ["rc-service", "{unit}", "start"]
active_command = ["rc-service", "{unit}", "status"]
reset_timeout_s = 60
stop_timeout_s = 0.5
start_timeout_s = 3600
lock_timeout_s = 1
look_timeout_s = 2.5
make_nodes = "mknod"
"""


def wrong(text: str) -> tuple[str, ...]:
    """What is wrong with a [partition] of these lines."""
    with pytest.raises(Refused) as refused:
        parse(f"[partition]\n{text}\n")
    return refused.value.problems


def put(root: Path, data: bytes) -> Path:
    folder = root / "etc/slurm-mig"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_bytes(data)
    return folder / "config.toml"


def test_no_file_and_no_table_are_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path) == Settings() == parse("") == parse('[hooks]\nleftovers = "log"\n')
    assert Settings().reset_command == ("nvidia-smi", "--gpu-reset", "-i", "{bus_id}")
    assert Settings().clients_if_blocking == ("nvidia-persistenced.service",)


def test_all_of_them(tmp_path: Path) -> None:
    put(tmp_path, WHOLE.encode())
    found = load(tmp_path)
    assert found.clients == ("nvidia-dcgm.service", "telegraf@gpu.service")
    assert found.clients_if_blocking == ()
    assert found.stop_command == ("rc-service", "{unit}", "stop")
    times = (found.reset_timeout_s, found.stop_timeout_s, found.start_timeout_s)
    assert times == (60.0, 0.5, 3600.0)
    assert found.make_nodes == "mknod"
    assert found.chosen == set(Settings._fields) - {"chosen"}


def test_the_hooks_read_the_same_file() -> None:
    found = hooks_settings.parse(WHOLE)
    assert (found.problem, found.leftovers) == (None, "log")


def test_hooks_mistakes_are_not_ours() -> None:
    assert parse("[hooks]\nnonsense = 1\n") == Settings()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("reset_comand = []", "'reset_comand': there is no such setting"),
        ("chosen = []", "'chosen': there is no such setting"),
        ('reset_command = "nvidia-smi -r"', "a list of words"),
        ("reset_command = [1]", "a list of words"),
        ('reset_command = ["x", ""]', "a list of words"),
        ('reset_command = ["x", "a\\nb", "{bus_id}"]', "a list of words"),
        ('reset_command = ["nvidia-smi", "-r"]', "no word has {bus_id} in it"),
        ('reset_command = ["x", "{busid}"]', "only {bus_id} stands for something"),
        ('reset_command = ["x", "{bus_id", "{bus_id}"]', "only {bus_id} stands for something"),
        ('reset_command = ["{bus_id}"]', "not in the program"),
        ('reset_command = ["bin/reset", "{bus_id}"]', "neither a name nor a path from /"),
        ("stop_command = []", "it has no words"),
        ('stop_command = ["systemctl", "stop", "{bus_id}"]', "only {unit} stands"),
        ('start_command = ["systemctl", "start"]', "no word has {unit} in it"),
        ('active_command = ["true"]', "no word has {unit} in it"),
        ('clients = "nvidia-dcgm.service"', "a list of units"),
        ('clients = ["nvidia-dcgm"]', "no name of a systemd unit"),
        ('clients = ["--force.service"]', "no name of a systemd unit"),
        ('clients = ["a b.service"]', "no name of a systemd unit"),
        ('clients = ["../a.service"]', "no name of a systemd unit"),
        ('clients = ["a.service\\n"]', "no name of a systemd unit"),
        ("clients = [3]", "no name of a systemd unit"),
        ('clients = ["a.service", "a.service"]', "twice: 'a.service'"),
        ('clients = ["a.service"]\nclients_if_blocking = ["a.service"]', "is in clients already"),
        ("reset_timeout_s = 0", "seconds above 0"),
        ("reset_timeout_s = -1", "seconds above 0"),
        ("reset_timeout_s = true", "seconds above 0"),
        ("reset_timeout_s = nan", "seconds above 0"),
        ("reset_timeout_s = inf", "seconds above 0"),
        ("reset_timeout_s = 3601", "at most 3600"),
        ('stop_timeout_s = "30"', "seconds above 0"),
        ('make_nodes = "Auto"', "one of auto, nvidia-modprobe, mknod, off"),
        ("make_nodes = true", "one of auto"),
        ("[partition.more]\nx = 1", "'more': there is no such setting"),
    ],
)
def test_a_mistake_is_named(line: str, why: str) -> None:
    (problem,) = wrong(line)
    assert why in problem


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(Refused) as refused:
        parse('[partitoin]\nx = 1\n[partition]\nclients = 1\nmake_nodes = "x"\nreset = 3\n')
    assert len(refused.value.problems) == 4
    assert str(refused.value).startswith("/etc/slurm-mig/config.toml: 4 problems\n")


def test_a_default_that_is_named_among_clients_contradicts_nothing() -> None:
    text = '[partition]\nclients = ["nvidia-persistenced.service"]\n'
    assert parse(text).clients == ("nvidia-persistenced.service",)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"[partition", "no TOML"),
        (b"partition = 3", "no table"),
        (b"[partition]\nclients = []\nclients = []", "no TOML"),
        (b"#" * (settings._LIMIT + 1), "longer than"),
    ],
)
def test_a_file_that_cannot_be_read_refuses(tmp_path: Path, data: bytes, why: str) -> None:
    put(tmp_path, data)
    with pytest.raises(Refused, match=why):
        load(tmp_path)


def test_a_file_that_others_may_write_refuses(tmp_path: Path) -> None:
    put(tmp_path, b"").chmod(0o666)
    with pytest.raises(Refused, match="not root's alone"):
        load(tmp_path)


def test_a_folder_that_others_may_write_refuses(tmp_path: Path) -> None:
    put(tmp_path, b"")
    os.chown(tmp_path / "etc/slurm-mig", 1001, 1001)
    with pytest.raises(Refused, match="not root's alone"):
        load(tmp_path)


@pytest.mark.parametrize("target", ["elsewhere.toml", "/etc/passwd"])
def test_a_link_is_not_followed(tmp_path: Path, target: str) -> None:
    file = put(tmp_path, b"")
    file.rename(file.with_name("elsewhere.toml"))
    file.symlink_to(target)
    with pytest.raises(Refused, match="no link"):
        load(tmp_path)


def test_a_pipe_makes_nobody_wait(tmp_path: Path) -> None:
    put(tmp_path, b"").unlink()
    os.mkfifo(tmp_path / "etc/slurm-mig/config.toml")
    with pytest.raises(Refused, match="no regular file"):
        load(tmp_path)


def test_the_defaults_are_as_the_docs_say() -> None:
    text = (Path(__file__).resolve().parents[1] / "docs/reconfigure.md").read_text()
    (block,) = re.findall(r"```toml\n(\[partition\].*?)```", text, re.DOTALL)
    found = parse(block)
    assert found._replace(chosen=frozenset()) == Settings()
    assert found.chosen == set(Settings._fields) - {"chosen"}
