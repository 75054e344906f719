"""gen-gres as a program, on simulated machines: the machine's own file, good and bad."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sim.api import Sim

NewSim = Callable[..., Sim]
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "gres"


def gen_gres(sim: Sim, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run it as root on the machine would."""
    command = [sys.executable, "-m", "slurm_mig", "gen-gres", "--slurm-version=24.11.5", *options]
    environment = {**os.environ, **sim.env()}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


CASES = {
    "h100-mixed": (["h100-80gb=3g.40gb@4:1c:2c/2g.20gb/2x1g.10gb", "h100-80gb"], []),
    "a100-22.05": (["a100-40gb=3g.20gb/4x1g.5gb"] * 2, ["--slurm-version=22.05.8"]),
    "a100-nvml-22.05": (
        ["a100-40gb=3g.20gb/4x1g.5gb"] * 2,
        ["--slurm-version=22.05.8", "--autodetect=nvml"],
    ),
    "a30-short-nvml": (
        ["a30-24gb=1g.6gb+me/1g.6gb/2g.12gb"],
        ["--types=profile", "--autodetect=nvml"],
    ),
    "rtx-explained": (["rtx-pro-6000-96gb=2g.48gb+gfx/2x1g.24gb-me"], ["--explain"]),
    "named": (["h200-141gb=balanced", "l40s"], ["--node=gpu-7"]),
}


@pytest.mark.parametrize("name", CASES)
def test_the_text_is_the_one_that_was_read_and_found_good(name: str, new_sim: NewSim) -> None:
    """tests/golden/gres: made with SLURM_MIG_GOLDEN=write, and then read by someone."""
    gpus, options = CASES[name]
    text = gen_gres(new_sim(*gpus, seed="golden"), "--node=n1", *options).stdout
    golden = GOLDEN / f"{name}.conf"
    if os.environ.get("SLURM_MIG_GOLDEN") == "write":
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


def test_a_missing_cap_node_is_told_with_its_remedy(new_sim: NewSim, tmp_path: Path) -> None:
    sim = new_sim("a100-40gb=2x1g.5gb", "a100-40gb=mig", nodes=False)
    path = tmp_path / "gres.conf"
    done = gen_gres(sim, "--output", str(path))
    assert done.returncode == 1
    # Two slices of two caps each, and the GPU without slices.
    assert "5 problems" in done.stderr
    assert "nvidia-modprobe" in done.stderr
    assert "MIG is on but there is no slice" in done.stderr
    assert not path.exists()


def test_a_gpu_instance_without_a_compute_instance_is_a_warning(new_sim: NewSim) -> None:
    done = gen_gres(new_sim("a100-40gb=3g.20gb:none/1g.5gb"), "--gres-line")
    assert (done.returncode, done.stdout) == (0, "gpu:nvidia_a100_1g.5gb:1\n")
    assert "has no compute instance" in done.stderr


def test_the_gres_line_is_the_value_alone_whatever_the_node_is_called(new_sim: NewSim) -> None:
    done = gen_gres(new_sim("a100-40gb=2x3g.20gb"), "--gres-line", "--node", "n7")
    assert done.stdout == "gpu:nvidia_a100_3g.20gb:2\n"


def test_a_gap_is_refused_with_autodetect_alone(new_sim: NewSim) -> None:
    sim = new_sim("a100-40gb=3x1g.5gb", gap=True)
    assert gen_gres(sim).returncode == 0
    done = gen_gres(sim, "--autodetect=nvml")
    assert done.returncode == 1
    assert "MIG index 1 is empty" in done.stderr


def test_output_check_and_drift_after_a_new_cut(new_sim: NewSim, tmp_path: Path) -> None:
    sim = new_sim("a100-40gb=2x1g.5gb")
    path = tmp_path / "gres.conf"
    path.write_text("# by hand\n")
    assert gen_gres(sim, "--output", str(path)).returncode == 0
    assert gen_gres(sim, "--check", str(path)).returncode == 0
    sim.partition(0, "3g.20gb")
    sim.make_nodes()
    done = gen_gres(sim, "--check", str(path))
    assert done.returncode == 1
    assert "+Name=gpu Type=nvidia_a100_3g.20gb" in done.stdout
    assert gen_gres(sim, "--output", str(path)).returncode == 0
    assert path.read_text().startswith("# by hand\n# BEGIN slurm-mig\n")
    assert gen_gres(sim, "--check", str(path)).returncode == 0


def test_discover_s_json_is_an_inventory(new_sim: NewSim, tmp_path: Path) -> None:
    sim = new_sim("a100-40gb=2x1g.5gb", "l40s")
    discover = [sys.executable, "-m", "slurm_mig", "discover", "--json"]
    text = subprocess.check_output(discover, env={**os.environ, **sim.env()}, text=True)
    files = []
    for name in ("n1", "n2"):
        files.append(str(tmp_path / f"{name}.json"))
        Path(files[-1]).write_text(json.dumps({**json.loads(text), "node": name}))
    many = json.loads(gen_gres(sim, "--json", "--inventory", *files).stdout)
    here = json.loads(gen_gres(sim, "--json").stdout)
    (group,) = many["groups"]
    assert (group["nodes"], group["gres"]) == ("n[1-2]", here["gres"])
    assert [record["files"] for record in group["records"]] == [
        record["files"] for record in here["records"]
    ]


def test_the_slurmd_of_the_machine_is_asked_for_its_version(new_sim: NewSim) -> None:
    sim = new_sim("a100-80gb=3g.40gb")
    command = [sys.executable, "-m", "slurm_mig", "gen-gres", "--gres-line"]
    done = subprocess.run(
        command, env={**os.environ, **sim.env()}, capture_output=True, text=True, check=True
    )
    # `make setup` installs Debian's own Slurm, 22.05, on the machine.
    assert done.stdout == "gpu:nvidia_a100_3g.39gb:1\n"
