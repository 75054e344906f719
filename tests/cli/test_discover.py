"""`slurm-mig discover` as it is run: another process, over a simulated machine."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slurm_mig.gpu.present.inventory_reader import read_nodes
from tests.gpu.truth import assert_is_the_truth
from tests.sim.api import Sim
from tests.sim.models import keys, load

Run = subprocess.CompletedProcess[str]
NewSim = Callable[..., Sim]
MIXED = ["h100-80gb=3g.40gb/2g.20gb:1c:1c/1g.10gb+me/1g.10gb:none", "a100-40gb", "l40s"]


def discover(env: dict[str, str], *options: str) -> Run:
    """Run the command with nothing else in its environment."""
    clean = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "COLUMNS": "80"} | env
    command = [sys.executable, "-m", "slurm_mig", "discover", *options]
    return subprocess.run(command, env=clean, capture_output=True, text=True, timeout=60)


def value_of(run: Run) -> dict[str, Any]:
    assert (run.returncode, run.stderr) == (0, "")
    value: dict[str, Any] = json.loads(run.stdout)
    return value


def refusal(run: Run) -> str:
    """The one line of a command that failed cleanly."""
    assert (run.returncode, run.stdout) == (1, "")
    (line,) = run.stderr.splitlines()
    assert line.startswith("slurm-mig: ")
    return line


@pytest.fixture
def sim(new_sim: NewSim) -> Sim:
    return new_sim(*MIXED)


@pytest.mark.parametrize("key", keys())
def test_every_model_is_discovered(new_sim: NewSim, key: str) -> None:
    model = load(key)
    layout = "=balanced" if model.mig else ""
    sim = new_sim(f"{key}{layout}", key)
    value = value_of(discover(sim.env(), "--json"))
    assert_is_the_truth(value, sim)
    first, second = value["gpus"]
    assert [gpu["name"] for gpu in (first, second)] == [model.name] * 2
    assert first["mig_mode"]["current"] == (True if model.mig else None)
    assert second["mig_mode"]["current"] == (False if model.mig else None)
    assert bool(first["mig_devices"]) == model.mig


def test_json_is_the_truth(sim: Sim) -> None:
    assert_is_the_truth(value_of(discover(sim.env(), "--json")), sim)


def test_json_is_what_the_inventory_reads(sim: Sim, tmp_path: Path) -> None:
    file = tmp_path / "n1.json"
    file.write_text(discover(sim.env(), "--json").stdout)
    (node,) = read_nodes([file])
    assert [len(gpu.mig_devices) for gpu in node.gpus] == [4, 0, 0]
    assert [device.profile for device in node.gpus[0].mig_devices].count("1c.2g.20gb") == 2


def test_the_table_of_a_pipe_is_plain_and_whole(sim: Sim) -> None:
    run = discover(sim.env())
    assert (run.returncode, run.stderr) == (0, "")
    assert "3 GPUs, 4 MIG slices" in run.stdout.splitlines()[0]
    assert "\x1b" not in run.stdout
    for gpu in sim.show()["gpus"]:
        assert gpu["uuid"] in run.stdout
    assert "1g.10gb+me" in run.stdout
    assert "has no compute instance: no job can use it" in run.stdout


def test_missing_nodes_are_shown_and_are_no_failure(new_sim: NewSim) -> None:
    sim = new_sim("a100-40gb=7g.40gb", nodes=False)
    run = discover(sim.env())
    assert run.returncode == 0
    assert "problem: GPU 0: /dev/nvidia-caps/nvidia-cap3 is missing: make it with" in run.stdout
    sim.make_nodes()
    assert "problem" not in discover(sim.env()).stdout


def test_root_can_be_given_as_an_option(sim: Sim) -> None:
    env = sim.env()
    root = env.pop("SLURM_MIG_ROOT")
    value = value_of(discover(env, "--json", "--root", root))
    assert value == value_of(discover(sim.env(), "--json"))


def test_a_gap_is_no_end(new_sim: NewSim) -> None:
    sim = new_sim("a100-40gb=3x1g.5gb", gap=True)
    (gpu,) = value_of(discover(sim.env(), "--json"))["gpus"]
    assert [device["mig_index"] for device in gpu["mig_devices"]] == [0, 2, 3]
    assert "has a gap at index 1" in gpu["warnings"][0]


def test_minors_that_are_not_indices(new_sim: NewSim) -> None:
    gpus = ["a100-40gb=7g.40gb", "a100-40gb=2x3g.20gb"]
    sim = new_sim(*gpus, reversed_minors=True)
    first, second = value_of(discover(sim.env(), "--json"))["gpus"]
    assert [first["gpu_minor"], second["gpu_minor"]] == [1, 0]
    assert first["mig_devices"][0]["device_files"][0] == "/dev/nvidia1"
    for gpu in (first, second):
        for device in gpu["mig_devices"]:
            assert not any(node["problems"] for node in device["device_nodes"])


def test_without_a_driver(tmp_path: Path) -> None:
    # An empty file in the library's place: so also on a machine that has a driver.
    (tmp_path / "libnvidia-ml.so.1").touch()
    line = refusal(discover({"LD_LIBRARY_PATH": str(tmp_path)}))
    assert "libnvidia-ml.so.1 was not found; install the NVIDIA driver" in line


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("DRIVER_NOT_LOADED", "modprobe nvidia"),
        ("NO_PERMISSION", "run as root"),
        ("LIB_RM_VERSION_MISMATCH", "reload the module or reboot"),
    ],
)
def test_a_driver_that_does_not_start(sim: Sim, code: str, advice: str) -> None:
    sim.fault("nvmlInitWithFlags", code=code)
    assert advice in refusal(discover(sim.env()))


def test_a_gpu_off_the_bus(sim: Sim) -> None:
    sim.lose(1)
    line = refusal(discover(sim.env(), "--json"))
    assert line.startswith("slurm-mig: GPU 1: NVML: GPU is lost (15): it fell off the bus")


def test_an_absurd_mig_minors(sim: Sim) -> None:
    file = sim.root / "proc/driver/nvidia-caps/mig-minors"
    file.write_text("config 1\nmonitor 2\ngpu0/gi1/access twelve\n")
    assert "mig-minors, line 3: 'gpu0/gi1/access twelve'" in refusal(discover(sim.env()))


def test_somebody_else_than_root(sim: Sim) -> None:
    """With MIG on, drivers tell a GPU's memory to root only (nvml.h)."""
    sim.fault("nvmlDeviceGetMemoryInfo", code="NO_PERMISSION", once=False)
    line = refusal(discover(sim.env(), "--json"))
    assert line == "slurm-mig: GPU 0: NVML: Insufficient Permissions (4): run as root"


def test_a_driver_that_hides_placements_only(sim: Sim) -> None:
    """What was not told is said to be unknown, not guessed."""
    sim.fault("nvmlDeviceGetGpuInstances", code="NO_PERMISSION", once=False)
    value = value_of(discover(sim.env(), "--json"))
    assert [d["placement"] for gpu in value["gpus"] for d in gpu["mig_devices"]] == [None] * 4
    assert any("run as root" in warning for warning in value["warnings"])


def test_help_teaches() -> None:
    run = discover({}, "--help")
    assert run.returncode == 0
    for words in ("three device files", "--json", "gen-gres --inventory", "Nothing is changed"):
        assert words in " ".join(run.stdout.split())
