"""[reconfigure] of config.toml: right, absent, and with every kind of mistake."""

import re
from pathlib import Path

import pytest

from slurm_mig import settings as partition
from slurm_mig.errors import Refused
from slurm_mig.reconfigure.settings import ReconfigureSettings, load, parse

WHOLE = """\
[partition]
make_nodes = "off"
[reconfigure]
slurmctld_restart_command = ["ssh", "ctl", "systemctl", "restart", "slurmctld"]
slurmd_stop_command = ["/usr/local/sbin/stop-slurmd"]
slurmd_start_command = ["/usr/local/sbin/start-slurmd", "--conf={conf}"]
shared_conf = "/nfs/slurm/slurm.conf"
shared_gres_conf = "/nfs/slurm/gres.conf"
timeout_s = 2592000
answer_timeout_s = 0.5
register_timeout_s = 1
state_save_s = 30
publish_timeout_s = 2
command_timeout_s = 3600
remote_worker = "rsh"
remote_command = ["ssh", "-F", "/etc/slurm-mig/ssh", "{node}-mgmt"]
remote_slurm_mig = ["/opt/slurm-mig/bin/slurm-mig"]
fanout = 16
desired_dir = "/nfs/slurm-mig/desired"
config_file = "/nfs/slurm-mig/mig.yaml"
reboot_command = ["/usr/local/sbin/reboot", "--now"]
reboot_timeout_s = 1800
smoke = true
smoke_command = ["/usr/local/bin/saxpy", "--size", "1 GiB"]
smoke_partition = "gpu-test"
smoke_timeout_s = 60
"""


def wrong(text: str) -> tuple[str, ...]:
    """What is wrong with a [reconfigure] of these lines."""
    with pytest.raises(Refused) as refused:
        parse(f"[reconfigure]\n{text}\n")
    return refused.value.problems


def test_no_file_and_no_table_are_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path) == ReconfigureSettings() == parse("") == parse("[partition]\nx = 1\n")
    assert ReconfigureSettings().slurmctld_restart_command == ()


def test_all_of_them(tmp_path: Path) -> None:
    folder = tmp_path / "etc/slurm-mig"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(WHOLE)
    found = load(tmp_path)
    assert found.slurmctld_restart_command[0] == "ssh"
    assert found.slurmd_start_command[1] == "--conf={conf}"
    assert (found.shared_conf, found.timeout_s) == ("/nfs/slurm/slurm.conf", 2592000.0)
    assert found.chosen == set(ReconfigureSettings._fields) - {"chosen"}


def test_the_other_table_is_read_beside_it() -> None:
    assert partition.parse(WHOLE).make_nodes == "off"
    assert partition.parse("[reconfigure]\nnonsense = 1\n") == partition.Settings()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('remote_worker = "pdsh"', "remote_worker: one of ssh, rsh, or set remote_command"),
        ('remote_command = ["ssh"]', "remote_command: no word has {node} in it"),
        ("remote_slurm_mig = []", "remote_slurm_mig: it has no words"),
        ('desired_dir = ""', "desired_dir: write a path from /"),
        ('desired_dir = "desired"', "desired_dir: 'desired' is no path of a file from /"),
        ("config_file = 1", "config_file: write a path as a text"),
        ("reboot_command = []", "reboot_command: it has no words"),
        ("reboot_timeout_s = 0", "reboot_timeout_s: write a number of seconds above 0"),
        ("fanout = 0", "fanout: write a whole number from 1 to 1024"),
        ("fanout = true", "fanout: write a whole number from 1 to 1024"),
        ("timout_s = 1", "[reconfigure] 'timout_s': there is no such setting"),
        ("chosen = []", "there is no such setting"),
        ('slurmctld_restart_command = "systemctl restart slurmctld"', "a list of words"),
        ('slurmctld_restart_command = ["x", "{conf}"]', "nothing stands for something"),
        ('slurmctld_restart_command = ["sbin/x"]', "neither a name nor a path from /"),
        ("slurmd_stop_command = []", "it has no words"),
        ('slurmd_stop_command = ["x", ""]', "a list of words"),
        ('slurmd_start_command = ["x", "{cnf}"]', "only {conf} stands for something"),
        ('slurmd_start_command = ["{conf}"]', "not in the program"),
        ("slurmd_start_command = []", "it has no words"),
        ('shared_conf = "slurm.conf"', "no path of a file from /"),
        ('shared_conf = "/etc/slurm/"', "no path of a file from /"),
        ("shared_conf = 3", "a path as a text"),
        ('shared_gres_conf = "/a\\nb"', "a path as a text"),
        ("timeout_s = 0", "seconds above 0"),
        ("timeout_s = 2592001", "at most 2.592e+06"),
        ("answer_timeout_s = 3601", "at most 3600"),
        ("register_timeout_s = true", "seconds above 0"),
        ("state_save_s = 0", "seconds above 0"),
        ('publish_timeout_s = "1"', "seconds above 0"),
        ("command_timeout_s = nan", "seconds above 0"),
        ('smoke = "yes"', "write true or false"),
        ("smoke = 1", "write true or false"),
        ('smoke_command = "saxpy"', "a list of words"),
        ('smoke_command = ["bin/saxpy"]', "neither a name nor a path from /"),
        ('smoke_partition = "a,b"', "the name of one partition"),
        ('smoke_partition = "-w"', "the name of one partition"),
        ("smoke_partition = 1", "the name of one partition"),
        ("smoke_timeout_s = 0", "seconds above 0"),
    ],
)
def test_a_mistake_is_named(line: str, why: str) -> None:
    (problem,) = wrong(line)
    assert why in problem


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(Refused) as refused:
        parse('[reconfigur]\nx = 1\n[reconfigure]\ntimeout_s = 0\nshared_conf = "x"\ny = 3\n')
    assert len(refused.value.problems) == 4


@pytest.mark.parametrize(
    ("text", "why"), [("[reconfigure", "no TOML"), ("reconfigure = 3", "is no table")]
)
def test_what_is_no_table(text: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        parse(text)


def test_the_defaults_are_as_the_docs_say() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs/reconfigure.md").read_text()
    (block,) = re.findall(r"```toml\n(\[reconfigure\].*?)```", text, re.DOTALL)
    found = parse(block)
    assert found._replace(chosen=frozenset()) == ReconfigureSettings()
    assert found.chosen == set(ReconfigureSettings._fields) - {"chosen"}
