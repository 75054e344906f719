"""doctor as a command: good machines, spoilt ones, and those where it cannot look."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from slurm_mig import cli
from slurm_mig.slurm import scontrol
from tests.sim.api import Sim

OpenNvml = Callable[..., Sim]
Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def no_slurm_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A slurmd that says its version, and has no GPU."""
    monkeypatch.delenv("SLURM_CONF", raising=False)
    monkeypatch.delenv("SLURMD_OPTIONS", raising=False)
    (tmp_path / "bin").mkdir()
    slurmd = tmp_path / "bin/slurmd"
    slurmd.write_text('#!/bin/sh\n[ "$1" = -V ] && echo slurm 24.11.5\nexit 0\n')
    slurmd.chmod(0o755)
    scontrol = tmp_path / "bin/scontrol"
    scontrol.write_text('#!/bin/sh\n[ "$1" = -V ] && echo slurm 24.11.5\nexit 0\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")


def doctor(root: Path, capsys: Output, *words: str) -> tuple[int, str]:
    code = cli.run(["doctor", "--root", str(root), *words])
    said = capsys.readouterr()
    assert said.err == ""
    return code, said.out


def test_a_machine_that_lacks_everything(open_nvml: OpenNvml, capsys: Output) -> None:
    sim = open_nvml("a30-24gb=2x1g.6gb", nodes=False)
    folder = sim.root / "etc/slurm"
    folder.mkdir(parents=True)
    (folder / "slurm.conf").write_text("NodeName=n1\n")
    code, said = doctor(sim.root, capsys, "--slurmd-options=-N n1")
    assert code == 1
    for line in (
        "wrong: TaskPlugin: ",
        "    cgroup.conf: ConstrainDevices=yes",
        "    slurm.conf: GresTypes=gpu",
        "wrong: device files: /dev/nvidia-caps/nvidia-cap",
        "nvidia-modprobe",
        "could not look: slurmd: ",
    ):
        assert line in said, said
    assert said.splitlines()[-1].startswith("n1: ")


def test_json(open_nvml: OpenNvml, capsys: Output) -> None:
    sim = open_nvml("a30-24gb=2x1g.6gb")
    code, said = doctor(sim.root, capsys, "--json", "--slurmd-options=-N n1")
    answer = json.loads(said)
    assert (answer["version"], answer["node"], code) == (1, "n1", 1)
    found = {(each["level"], each["about"]) for each in answer["findings"]}
    assert ("unknown", "slurm.conf") in found
    assert ("wrong", "slurmd") in found
    assert set(answer["findings"][0]) == {"level", "about", "what", "remedy"}


def test_which_client_asks_slurmctld(open_nvml: OpenNvml, capsys: Output) -> None:
    sim = open_nvml("a30-24gb=2x1g.6gb")
    told = "Slurm's commands, text (pyslurm is not installed)"
    _, said = doctor(sim.root, capsys, "--slurmd-options=-N n1")
    assert said.splitlines()[0] == f"n1: slurmctld is asked by {told}"
    _, said = doctor(sim.root, capsys, "--json", "--slurmd-options=-N n1")
    assert json.loads(said)["slurm_client"] == told


def test_a_machine_without_slurm_s_commands(
    open_nvml: OpenNvml, capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = open_nvml("a30-24gb=2x1g.6gb")
    monkeypatch.setattr(scontrol, "USUAL_PATH", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    _, said = doctor(sim.root, capsys, "--slurmd-options=-N n1")
    assert "could not look: Slurm's commands: scontrol is not installed" in said
    assert "slurmctld is asked by" not in said


def test_a_machine_without_nvml_is_told_apart_from_one_without_gpus(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch, sim_library: Path
) -> None:
    monkeypatch.setenv("MIGSIM_DIR", str(tmp_path / "none"))
    code, said = doctor(tmp_path, capsys)
    assert code == 0
    assert "could not look: slurm.conf: not found" in said
    assert "could not look: GPUs: " in said
    assert "wrong" not in said


def test_a_slurm_conf_that_slurm_cannot_read(tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "etc/slurm").mkdir(parents=True)
    (tmp_path / "etc/slurm/slurm.conf").write_text("what is this\n")
    _, said = doctor(tmp_path, capsys)
    assert "could not look: slurm.conf: " in said
    assert "line 1: Slurm cannot read" in said


def test_a_mistake_in_config_toml(tmp_path: Path, capsys: Output) -> None:
    """The folder must be root's alone, as on every machine: then only the text is wrong."""
    (tmp_path / "etc/slurm-mig").mkdir(parents=True)
    (tmp_path / "etc/slurm-mig/config.toml").write_text("[hooks]\nlog_fil = '/x'\n")
    code, said = doctor(tmp_path, capsys)
    assert code == 1
    assert "wrong: config.toml: " in said
    assert "log_fil" in said
