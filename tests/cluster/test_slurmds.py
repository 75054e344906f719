"""`slurmd -G` of both releases, over a machine that has device nodes and no driver."""

from pathlib import Path

import pytest

from tests.cluster import apt
from tests.cluster.conftest import BARE_GRES, CAP, BareMachine
from tests.cluster.slurmds import parse, slurmd_g
from tests.sim.api import Sim


def test_the_list_is_in_the_order_of_the_types_of_the_gres_line(
    version: str, bare_machine: BareMachine
) -> None:
    answer = slurmd_g(version, bare_machine, BARE_GRES.line, BARE_GRES.conf)
    assert [record.files for record in answer.records] == [
        ("/dev/nvidia0", f"{CAP}30", f"{CAP}31"),
        ("/dev/nvidia1", f"{CAP}4", f"{CAP}5"),
        ("/dev/nvidia0", f"{CAP}12", f"{CAP}13"),
    ]
    assert [record.type for record in answer.records] == ["1g.10gb", "1g.10gb", "3g.40gb"]
    assert (answer.errors, answer.returncode) == ((), 0)


def test_cores_are_told(version: str, bare_machine: BareMachine) -> None:
    conf = f"Name=gpu Type=1g.10gb Cores=0-7 MultipleFiles=/dev/nvidia0,{CAP}30,{CAP}31\n"
    answer = slurmd_g(version, bare_machine, "gpu:1g.10gb:1", conf, cpus=8)
    assert [record.cores for record in answer.records] == ["0-7"]


def test_what_slurmd_refuses_is_in_the_errors(version: str, bare_machine: BareMachine) -> None:
    conf = "Name=gpu Type=1g.10gb MultipleFiles=/dev/nvidia0\n"
    answer = slurmd_g(version, bare_machine, "gpu:1g.10gb:1", conf)
    assert answer.returncode != 0
    assert any("MultipleFiles" in error for error in answer.errors), answer.log


def test_nothing_of_it_reaches_the_machine(version: str, bare_machine: BareMachine) -> None:
    mounts, nodes = Path("/proc/self/mounts").read_text(), sorted(Path("/dev").iterdir())
    slurmd_g(version, bare_machine, BARE_GRES.line, BARE_GRES.conf)
    assert Path("/proc/self/mounts").read_text() == mounts
    assert sorted(Path("/dev").iterdir()) == nodes


def test_a_record_without_type_or_files_is_read() -> None:
    answer = parse("slurmd-n1: Gres Name=gpu Type=(null) Count=4 ID=7696487 (null)\n", 0)
    (record,) = answer.records
    assert (record.type, record.files, record.count) == (None, (), 4)


def test_a_real_gpu_nvml_finds_the_simulated_slices(version: str, tmp_path: Path) -> None:
    sim = Sim.new(tmp_path / "sim", ["h100-80gb=3g.40gb/1g.10gb"])
    answer = slurmd_g(version, sim, "gpu:3g:1,gpu:1g:1", "AutoDetect=nvml\n")
    assert sorted(record.type or "" for record in answer.records) == ["1g", "3g"]
    ids = [record.unique_id for record in answer.records]
    assert all(uuid is None if version == "22.05" else "MIG-" in str(uuid) for uuid in ids)


def test_without_the_plugin_it_is_blind(version: str, tmp_path: Path) -> None:
    sim = Sim.new(tmp_path / "sim", ["h100-80gb=3g.40gb"])
    answer = slurmd_g(version, sim, "gpu:3g:1", "AutoDetect=nvml\n", nvml_plugin=False)
    assert not any(record.files for record in answer.records)


def test_a_machine_without_its_devices_is_an_error(version: str, tmp_path: Path) -> None:
    machine = BareMachine(tmp_path / "machine")
    (machine.root / "proc").mkdir()
    (machine.root / "proc/devices").mkdir()  # a folder cannot be shown in place of a file
    with pytest.raises(apt.SetupError, match="no mount namespace"):
        slurmd_g(version, machine, BARE_GRES.line, BARE_GRES.conf)
