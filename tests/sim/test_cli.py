"""`python -m tests.sim`, as a person types it."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pynvml
import pytest

from tests.sim.__main__ import main
from tests.sim.api import Sim
from tests.sim.library import FOLDER

Open = Callable[..., Sim]
Capture = pytest.CaptureFixture[str]


def test_new_prints_what_to_eval(sim_library: Path, tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "a b"
    assert main(["new", str(folder), "--gpu", "h100-80gb=balanced", "--gpu", "l40s"]) == 0
    words = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    assert words == [
        ["export", f"MIGSIM_DIR={folder}"],
        ["export", f"LD_LIBRARY_PATH={FOLDER}"],
        ["export", f"SLURM_MIG_ROOT={folder}/root"],
    ]
    gpus = Sim(folder).show()["gpus"]
    assert [len(gpu["gpu_instances"]) for gpu in gpus] == [4, 0]


def test_the_machine_is_found_by_the_environment(
    new_sim: Open, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    sim = new_sim("a100-40gb")
    monkeypatch.setenv("MIGSIM_DIR", str(sim.dir))
    assert main(["show"]) == 0
    assert json.loads(capsys.readouterr().out)["gpus"] == sim.show()["gpus"]
    monkeypatch.delenv("MIGSIM_DIR")
    assert main(["show"]) == 1
    assert capsys.readouterr().err == (
        "tests.sim: which machine? give DIR, or eval the lines that `new` prints\n"
    )


def test_another_layout_its_nodes_a_reset_and_a_reboot(new_sim: Open, capsys: Capture) -> None:
    sim = new_sim("a100-40gb", nodes=False)
    folder = str(sim.dir)
    gpu = pynvml.NVML_DEVICE_MIG_ENABLE
    assert main(["partition", folder, "--gpu", "0", "--layout", "2x3g.20gb"]) == 0
    assert main(["nodes", folder]) == 0
    made = capsys.readouterr().out.splitlines()
    assert [Path(line).name for line in made[:4]] == [
        "nvidia-cap12",
        "nvidia-cap13",
        "nvidia-cap21",
        "nvidia-cap22",
    ]
    assert main(["reset", folder]) == 0
    state = sim.show()["gpus"][0]
    assert (state["gpu_instances"], state["mig_mode"]["current"]) == ([], gpu)
    assert main(["reboot", folder]) == 0
    assert sim.show()["boot"] == 1


def test_faults_by_hand(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=2g.20gb", "l40s")
    folder = str(sim.dir)
    call = ["--call", "nvmlDeviceGetCount_v2", "--code", "in_use"]
    assert main(["fault", folder, *call, "--after", "1"]) == 0
    assert pynvml.nvmlDeviceGetCount() == 2
    with pytest.raises(pynvml.NVMLError_InUse):
        pynvml.nvmlDeviceGetCount()
    assert main(["fault", folder, "--clear", "--lose", "1", "--xid", "0", "94", "3"]) == 0
    shown = sim.show()
    assert (shown["faults"], shown["gpus"][1]["lost"]) == ([], True)
    assert main(["fault", folder, "--find", "1"]) == 0
    assert not sim.show()["gpus"][1]["lost"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--gpu", "h100"], "no GPU model 'h100': there are a100-40gb, "),
        (["--gpu", "l40s=mig"], "l40s cannot do MIG"),
        (["--gpu", "a30-24gb=5x1g.6gb"], "does not fit on a30-24gb"),
        (["--gpu", "h100-80gb=2x1g.10gb+me"], "at most 1 of it"),
        (["--gpu", "l40s", "--cpus", "0-x"], "cannot read CPUs '0-x': write 0-3,8"),
        (["--gpu", "l40s", "--cpus", "0", "--cpus", "1"], "CPUs for 2 GPUs given, and there are 1"),
        (["--gpu", "l40s"] * 17, "a machine has 1 to 16 GPUs, not 17"),
    ],
)
def test_mistakes_teach(
    arguments: list[str], why: str, sim_library: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert main(["new", str(tmp_path / "m"), *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("tests.sim: ") and why in error
    assert not (tmp_path / "m").exists()


def test_a_folder_keeps_what_was_there(sim_library: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "mine").touch()
    assert main(["new", str(tmp_path), "--gpu", "h100-80gb=2x1g.10gb+me"]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_cpus_near_each_gpu(
    sim_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "m"
    two = ["--gpu", "l40s", "--cpus", "0-3,8", "--gpu", "l40s", "--cpus", "64"]
    assert main(["new", str(folder), *two]) == 0
    monkeypatch.setenv("MIGSIM_DIR", str(folder))
    pynvml.nvmlInit()
    near = [
        list(pynvml.nvmlDeviceGetCpuAffinity(pynvml.nvmlDeviceGetHandleByIndex(index), 2))
        for index in range(2)
    ]
    pynvml.nvmlShutdown()
    assert near == [[0b100001111, 0], [0, 1]]


def test_a_machine_is_not_written_over(new_sim: Open, capsys: Capture) -> None:
    sim = new_sim("l40s")
    assert main(["new", str(sim.dir), "--gpu", "h100-80gb"]) == 1
    assert "holds a simulated machine already" in capsys.readouterr().err
    assert sim.show()["gpus"][0]["name"] == "NVIDIA L40S"


@pytest.mark.parametrize("verb", ["show", "reboot", "nodes", "reset"])
def test_no_machine_there(verb: str, sim_library: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main([verb, str(tmp_path)]) == 1
    assert str(tmp_path) in capsys.readouterr().err


def test_no_such_gpu(new_sim: Open, capsys: Capture) -> None:
    sim = new_sim("l40s")
    assert main(["partition", str(sim.dir), "--gpu", "3", "--layout", "mig"]) == 1
    assert "no GPU 3: there are 1, counted from 0" in capsys.readouterr().err
    assert main(["reset", str(sim.dir), "--gpu", "3"]) == 1


def test_a_reset_by_bus_id_and_one_that_is_refused(new_sim: Open, capsys: Capture) -> None:
    sim = new_sim("a100-40gb=2x3g.20gb", "a100-40gb=2x3g.20gb")
    folder, bus_id = str(sim.dir), sim.show()["gpus"][1]["pci_bus_id"]
    assert main(["reset", folder, "--bus-id", bus_id, "--refuse"]) == 1
    assert capsys.readouterr().err == f"tests.sim: Resetting GPU ['{bus_id}'] is not supported.\n"
    assert main(["reset", folder, "--bus-id", bus_id]) == 0
    assert [len(gpu["gpu_instances"]) for gpu in sim.show()["gpus"]] == [2, 0]
    assert main(["reset", folder, "--bus-id", "00000000:FF:00.0"]) == 1
    assert "no GPU 00000000:FF:00.0: there are [" in capsys.readouterr().err


def test_a_client_watches_a_gpu_in_mig_mode_too(new_sim: Open) -> None:
    sim = new_sim("h100-80gb=mig", "h100-80gb=2x3g.40gb")
    for gpu in sim.show()["gpus"]:
        for name in (gpu["uuid"], str(gpu["gpu_index"])):
            done = sim.run("--kind", "client", "--seconds", "0", env={"CUDA_VISIBLE_DEVICES": name})
            assert done.stdout.startswith(f"using {gpu['uuid']} /dev/nvidia{gpu['gpu_minor']} pid")
    done = sim.run("--kind", "client", env={"CUDA_VISIBLE_DEVICES": "7"})
    assert done.stderr == "tests.sim: no GPU '7' to watch\n"


def test_who_runs_stands_in_proc_with_its_files(new_sim: Open) -> None:
    sim = new_sim("h100-80gb=3g.40gb")
    with sim.running() as process:
        folder = sim.root / f"proc/{process.pid}"
        shown = sorted(link.readlink().name for link in (folder / "fd").iterdir())
        assert shown == ["nvidia-cap12", "nvidia-cap13", "nvidia0"]
        assert (folder / "stat").read_text().startswith(f"{process.pid} (")
    assert not folder.exists()


def test_a_reboot_is_another_boot(new_sim: Open) -> None:
    sim = new_sim("h100-80gb=3g.40gb")
    (sim.root / "run").mkdir()
    file = sim.root / "proc/sys/kernel/random/boot_id"
    seen = set()
    for _ in range(2):
        sim.reboot()
        seen.add(file.read_text())
        assert not (sim.root / "run").exists()
    assert len(seen) == 2
