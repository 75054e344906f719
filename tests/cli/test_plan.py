"""`slurm-mig plan`: without GPUs by click's runner, and as a program over simulated machines."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slurm_mig.cli.plan import command, present
from slurm_mig.errors import Refused, UsageError
from slurm_mig.gpu.change.bounded import WorkerLost
from slurm_mig.gpu.config.migyaml import parse
from tests.layouts import layouts
from tests.sim import library
from tests.sim.api import Sim
from tests.sim.models import load, mig_keys

NewSim = Callable[..., Sim]
FILE = """version: v1
mig-configs:
  all-balanced:
    - devices: all
      mig-enabled: true
      mig-devices: {1g.10gb: 2, 2g.20gb: 1, 3g.40gb: 1}
  too-much:
    - devices: all
      mig-enabled: true
      mig-devices: {3g.40gb: 2, 1g.10gb: 1}
  not-here:
    - devices: [7]
      mig-enabled: false
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mig.yaml"
    path.write_text(FILE)
    return path


def invoke(*options: str) -> Result:
    """In this process; no GPU is asked, as --gpu is given."""
    return CliRunner().invoke(command, options)


def program(sim: Sim, *options: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    run = [sys.executable, "-m", "slurm_mig", "plan", *options]
    env = {**os.environ, **sim.env(), "COLUMNS": "80"}
    return subprocess.run(run, env=env, input=stdin, capture_output=True, text=True, timeout=60)


def value_of(sim: Sim, *options: str) -> dict[str, Any]:
    done = program(sim, "--json", *options)
    assert done.returncode == 0, done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    return value


class TestWithoutGpus:
    def test_a_plan(self, file: Path) -> None:
        done = invoke("-f", str(file), "-c", "all-balanced", "--gpu", "h100-80gb")
        assert done.exit_code == 0
        assert "to change; GPU instances: 0 stay, 0 go, 4 come" in done.stdout
        assert "comes  3g.40gb   4:4        40448   60  all" in done.stdout
        assert done.stderr == ""

    def test_several_gpus(self, file: Path) -> None:
        options = ["--gpu", "h100-80gb", "--gpu", "a100-80gb", "--gpu", "l40s"]
        done = invoke("-f", str(file), "-c", "all-balanced", *options)
        assert done.stdout.count("3g.40gb") == 2
        assert "GPU 2  NVIDIA L40S" in done.stdout
        assert done.stdout.endswith(": left alone\n")

    def test_what_is_not_known_is_said(self, file: Path) -> None:
        options = ("--gpu", "gh200-96gb", "--gpu", "gh200-96gb")
        generated = invoke("--generate", *options)
        file.write_text(generated.stdout)
        assert generated.stderr == ""
        done = invoke("-f", str(file), "-c", "all-balanced", *options)
        assert "note: gh200-96gb: not known from hardware, but assumed: where" in done.stderr
        assert len(done.stderr.splitlines()) == 2
        off = invoke("-f", str(file), "-c", "all-disabled", *options)
        assert off.stderr == ""
        told = json.loads(invoke("-f", str(file), "-c", "all-1g.12gb", "--json", *options).stdout)
        assert any("where instances can lie" in line for line in told["assumed"])

    def test_why_it_cannot_be_and_what_could(self, file: Path) -> None:
        done = invoke("-f", str(file), "-c", "too-much", "--gpu", "h100-80gb")
        assert isinstance(done.exception, Refused)
        assert "not possible on 1 of 1 GPU" in done.stdout
        assert "what fits: " in done.stdout
        assert "what fits: " in str(done.exception)
        as_json = invoke("-f", str(file), "-c", "too-much", "--gpu", "h100-80gb", "--json")
        assert json.loads(as_json.stdout)["possible"] is False
        assert isinstance(as_json.exception, Refused)

    def test_a_config_that_is_not_for_it(self, file: Path) -> None:
        done = invoke("-f", str(file), "-c", "not-here", "--gpu", "h100-80gb")
        assert isinstance(done.exception, Refused)
        assert "mig.yaml:12: no GPU 7: this node has 1" in str(done.exception)
        a100 = invoke("-f", str(file), "-c", "all-balanced", "--gpu", "a100-40gb")
        assert "has no profile 3g.40gb: did you mean 3g.20gb?" in str(a100.exception)

    def test_the_only_config_need_not_be_named(self, file: Path) -> None:
        several = invoke("-f", str(file), "--gpu", "h100-80gb")
        assert isinstance(several.exception, UsageError)
        assert "take one of all-balanced, too-much, not-here" in str(several.exception)
        file.write_text(FILE.partition("  too-much")[0])
        assert invoke("-f", str(file), "--gpu", "h100-80gb").exit_code == 0

    def test_from_standard_input(self) -> None:
        options = ["-f", "-", "-c", "all-balanced", "--gpu", "h100-80gb"]
        done = CliRunner().invoke(command, options, input=FILE)
        assert done.stdout.startswith("standard input, all-balanced: ")

    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            ([], "give one of --file FILE, --export and --generate"),
            (["--export", "--generate"], "give one of"),
            (["--export", "-f", "x"], "give one of"),
            (["--export", "--json"], "--json goes with --file"),
            (["--generate", "-c", "x"], "--config goes with --file"),
            (["--generate", "--gpu", "h100"], "no GPU model 'h100' is known: did you mean h100-"),
        ],
    )
    def test_usage(self, options: list[str], problem: str) -> None:
        done = invoke(*options)
        assert isinstance(done.exception, UsageError)
        assert problem in str(done.exception)
        assert done.exception.exit_code == 2

    @pytest.mark.parametrize("key", mig_keys())
    def test_everything_that_is_generated_can_be_had(self, key: str, tmp_path: Path) -> None:
        path = tmp_path / "generated.yaml"
        path.write_text(invoke("--generate", "--gpu", key).stdout)
        for label in parse(path.read_bytes(), "x").labels:
            done = invoke("-f", str(path), "-c", label, "--gpu", key)
            assert done.exit_code == 0, f"{label}: {done.stdout}"

    def test_export_of_nothing_yet(self) -> None:
        assert "mig-enabled: false" in invoke("--export", "--gpu", "h100-80gb").stdout

    def test_help_teaches(self) -> None:
        text = " ".join(invoke("--help").stdout.split())
        for words in ("Nothing is changed", "mig-parted's format", "--generate > /etc", "as root"):
            assert words in text


class TestOnAMachine:
    def test_what_changes(self, new_sim: NewSim, file: Path) -> None:
        sim = new_sim("h100-80gb=3g.40gb@4/4g.40gb", "h100-80gb=balanced", "l40s")
        value = value_of(sim, "-f", str(file), "-c", "all-balanced")
        assert (value["version"], value["possible"], value["left_alone"]) == (1, True, [2])
        first, second = value["gpus"]
        assert [kept["profile"] for kept in first["keep"]] == ["3g.40gb"]
        assert [step["step"] for step in first["steps"]][:2] == ["destroy-ci", "destroy-gi"]
        assert second["steps"] == []

    def test_gpus_by_their_names(self, new_sim: NewSim, file: Path) -> None:
        """UUIDs and PCI addresses stay what they are when numbers change."""
        sim = new_sim("h100-80gb", "h100-80gb=7g.80gb", "h100-80gb=mig", reversed_minors=True)
        first, second, _ = sim.show()["gpus"]
        address = value_of(sim, "-f", str(file), "-c", "all-balanced")["gpus"][1]["pci_bus_id"]
        file.write_text(
            "version: v1\nmig-configs:\n  x:\n"
            f"  - {{gpus: [{first['uuid']}], mig-enabled: false}}\n"
            f"  - gpus: [{address[4:].lower()}]\n"
            "    mig-enabled: true\n"
            "    mig-devices: {7g.80gb: 1}\n"
            "  - devices: others\n"
            "    mig-enabled: true\n"
            "    mig-instances: [{profile: 2g.20gb, start: 4}]\n"
        )
        value = value_of(sim, "-f", str(file))
        assert [gpu["uuid"] for gpu in value["gpus"]][:2] == [first["uuid"], second["uuid"]]
        assert [bool(gpu["steps"]) for gpu in value["gpus"]] == [False, False, True]
        (made,) = value["gpus"][2]["target"]["instances"]
        assert made["placement"] == {"start": 4, "size": 2}

    def test_a_name_that_is_not_here(self, new_sim: NewSim, file: Path) -> None:
        uuid = "GPU-ffffffff-0000-0000-0000-000000000000"
        file.write_text(
            f"version: v1\nmig-configs:\n  x:\n  - {{gpus: [{uuid}], mig-enabled: false}}\n"
        )
        done = program(new_sim("h100-80gb"), "-f", str(file))
        assert done.returncode == 1
        assert f"{file}:4: no GPU {uuid} on this node: `slurm-mig discover` lists" in done.stderr

    def test_without_a_driver(self, file: Path, tmp_path: Path) -> None:
        (tmp_path / "libnvidia-ml.so.1").touch()
        run = [sys.executable, "-m", "slurm_mig", "plan", "-f", str(file), "-c", "all-balanced"]
        env = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
        done = subprocess.run(run, env=env, capture_output=True, text=True)
        assert done.returncode == 1
        assert "libnvidia-ml.so.1 was not found" in done.stderr

    def test_nothing_is_changed(self, new_sim: NewSim, file: Path) -> None:
        sim = new_sim("h100-80gb=7x1g.10gb", "a100-40gb")
        before = sim.show()["gpus"]
        program(sim, "-f", str(file), "-c", "all-balanced")
        program(sim, "--export")
        program(sim, "--generate")
        assert sim.show()["gpus"] == before

    def test_a_gpu_whose_mig_is_off(self, new_sim: NewSim, file: Path) -> None:
        """Its driver does not tell the places: those that are published do, and it is said."""
        done = program(new_sim("a100-80gb"), "-f", str(file), "-c", "all-balanced")
        assert done.returncode == 0
        assert "comes  3g.40gb   4:4" in done.stdout
        assert "this GPU is reset" in done.stdout
        assert "GPU 0: where instances can lie is taken from what is published" in done.stderr

    def test_of_a_model_whose_places_nobody_knows(self, new_sim: NewSim, tmp_path: Path) -> None:
        sim = new_sim("h200-141gb")
        path = tmp_path / "g.yaml"
        path.write_text(
            "version: v1\nmig-configs:\n  x: [{devices: all, mig-enabled: true, "
            "mig-devices: {7g.141gb: 1}}]\n"
        )
        done = program(sim, "-f", str(path))
        assert done.returncode == 0
        assert "its driver tells only with MIG on what fits: plan again then" in done.stdout

    def test_one_line_on_stderr_and_exit_1(self, new_sim: NewSim, file: Path) -> None:
        sim = new_sim("h100-80gb")
        done = program(sim, "-f", str(file), "-c", "too-much")
        assert done.returncode == 1
        assert "slurm-mig: config too-much cannot be applied: GPU 0 (" in done.stderr
        assert "Traceback" not in done.stderr

    def test_a_bad_file_is_told_whole(self, new_sim: NewSim, file: Path) -> None:
        file.write_text(FILE.replace("all\n", "al\n").replace("true", "truely"))
        done = program(new_sim("h100-80gb"), "-f", str(file), "-c", "all-balanced")
        assert (done.returncode, done.stdout) == (1, "")
        assert len(done.stderr.splitlines()) == 5
        assert done.stderr.count(f"{file}:") >= 4

    def test_generated_on_a_mixed_machine(self, new_sim: NewSim, file: Path) -> None:
        sim = new_sim("a100-40gb", "h100-80gb=balanced", "l40s")
        file.write_text(program(sim, "--generate").stdout)
        value = value_of(sim, "-f", str(file), "-c", "all-balanced")
        assert [len(gpu["target"]["instances"]) for gpu in value["gpus"]] == [4, 4]

    @pytest.mark.parametrize("key", mig_keys())
    @settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def test_exported_read_and_planned_there_is_nothing_to_do(
        self, new_sim: NewSim, key: str, data: st.DataObject
    ) -> None:
        layout = data.draw(layouts(load(key), without_ci=True))
        sim = new_sim(f"{key}={layout}", key, f"{key}=mig")
        text = program(sim, "--export", "-c", "now").stdout
        done = program(sim, "-f", "-", "-c", "now", "--json", stdin=text)
        value = json.loads(done.stdout)
        if text.startswith("#"):  # what the format cannot say
            return
        assert value["changes"] is False, (layout, text)


def test_a_driver_that_hangs_is_given_up(new_sim: NewSim, monkeypatch: pytest.MonkeyPatch) -> None:
    sim = new_sim("a30-24gb=2x1g.6gb")
    sim.fault("nvmlDeviceGetCount_v2", hang_ms=60_000)
    library.load()
    monkeypatch.setenv("MIGSIM_DIR", str(sim.dir))
    began = time.monotonic()
    with pytest.raises(WorkerLost, match="looking at the GPUs: no answer in time"):
        present(sim.root, look=True, limit_s=0.5)
    assert time.monotonic() - began < 20
