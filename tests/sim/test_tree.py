"""/proc and /dev of a simulated machine: as the driver shows them, and no more."""

import os
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sim.api import Sim
from tests.sim.errors import SimError
from tests.sim.tree import unused_majors

Open = Callable[..., Sim]


def major_of(sim: Sim, name: str) -> int:
    text = (sim.root / "proc/devices").read_text()
    found = re.search(rf"^ *(\d+) {name}$", text, re.MULTILINE)
    assert found is not None
    return int(found[1])


def test_mig_minors_names_every_possible_instance(new_sim: Open) -> None:
    lines = (new_sim("l40s").root / "proc/driver/nvidia-caps/mig-minors").read_text().splitlines()
    assert len(lines) == 2 + 32 * 15 * 9
    assert lines[:2] == ["config 1", "monitor 2"]
    # Numbers that were published: DRA's comment, the user guide, singularity's issue 471.
    for known in (
        "gpu0/gi0/access 3",
        "gpu0/gi1/ci2/access 15",
        "gpu1/gi2/access 156",
        "gpu3/gi3/ci3/access 439",
        "gpu6/gi11/ci5/access 918",
        "gpu31/gi14/ci7/access 4322",
    ):
        assert known in lines


def test_capabilities_agree_with_mig_minors(new_sim: Open) -> None:
    sim = new_sim("h100-80gb=balanced", "a100-40gb=3g.20gb:1c:2c", reversed_minors=True)
    minors = dict(
        line.rsplit(" ", 1)
        for line in (sim.root / "proc/driver/nvidia-caps/mig-minors").read_text().splitlines()
    )
    folder = sim.root / "proc/driver/nvidia/capabilities"
    found = sorted(folder.glob("gpu*/mig/**/access"))
    assert len(found) == 4 * 2 + 3
    for path in found:
        name = str(path.relative_to(folder)).replace("/mig/", "/")
        assert path.read_text() == (
            f"DeviceFileMinor: {minors[name]}\nDeviceFileMode: 292\nDeviceFileModify: 1\n"
        )


def test_minors_may_differ_from_indices(new_sim: Open) -> None:
    sim = new_sim("h100-80gb", "a100-40gb", reversed_minors=True)
    shown = [(gpu["gpu_index"], gpu["gpu_minor"]) for gpu in sim.show()["gpus"]]
    assert shown == [(0, 1), (1, 0)]
    first = sim.root / "proc/driver/nvidia/gpus/0000:0b:00.0/information"
    assert "Model: \t\t NVIDIA H100 80GB HBM3\n" in first.read_text()
    assert "Device Minor: \t 1\n" in first.read_text()


def test_nodes_are_real_and_their_numbers_right(new_sim: Open) -> None:
    sim = new_sim("h100-80gb=2g.20gb")
    found = {
        str(path.relative_to(sim.root)): path.stat()
        for path in (sim.root / "dev").rglob("*")
        if not path.is_dir()
    }
    assert all(stat.S_ISCHR(info.st_mode) for info in found.values())
    caps = major_of(sim, "nvidia-caps")
    numbers = {
        name: (os.major(info.st_rdev), os.minor(info.st_rdev), stat.S_IMODE(info.st_mode))
        for name, info in found.items()
    }
    assert numbers == {
        "dev/nvidia0": (195, 0, 0o666),
        "dev/nvidiactl": (195, 255, 0o666),
        "dev/nvidia-uvm": (major_of(sim, "nvidia-uvm"), 0, 0o666),
        "dev/nvidia-caps/nvidia-cap1": (caps, 1, 0o400),
        "dev/nvidia-caps/nvidia-cap2": (caps, 2, 0o444),
        "dev/nvidia-caps/nvidia-cap30": (caps, 30, 0o444),
        "dev/nvidia-caps/nvidia-cap31": (caps, 31, 0o444),
    }


def test_the_driver_makes_no_cap_nodes(new_sim: Open) -> None:
    sim = new_sim("h100-80gb=2g.20gb", nodes=False)
    assert not (sim.root / "dev/nvidia-caps").exists()
    names = [path.name for path in sim.make_nodes()]
    assert names == ["nvidia-cap30", "nvidia-cap31", "nvidia-cap1", "nvidia-cap2"]
    assert sim.make_nodes() == []
    wrong = sim.root / "dev/nvidia-caps/nvidia-cap31"
    wrong.unlink()
    wrong.touch()
    assert sim.make_nodes() == [wrong]
    assert stat.S_ISCHR(wrong.stat().st_mode)


def test_the_tree_follows_the_instances_and_nodes_do_not(new_sim: Open) -> None:
    sim = new_sim("h100-80gb=2g.20gb")
    mig = sim.root / "proc/driver/nvidia/capabilities/gpu0/mig"
    sim.partition(0, "7g.80gb:3c:2c")
    assert sorted(path.name for path in mig.rglob("*")) == sorted(
        ["gi0", "access", "ci0", "access", "ci1", "access"]
    )
    assert not (sim.root / "dev/nvidia-caps/nvidia-cap3").exists()
    sim.partition(0, "off")
    assert list(mig.iterdir()) == []


def test_a_broken_tree_is_mended_with_the_next_change(new_sim: Open) -> None:
    sim = new_sim("h100-80gb=2g.20gb")
    mig = sim.root / "proc/driver/nvidia/capabilities/gpu0/mig"
    shutil.rmtree(mig / "gi3" / "ci0")
    (mig / "gi9").mkdir()
    (mig / "gi3" / "access").write_text("half")
    sim.partition(0, "2g.20gb")
    assert sorted(path.name for path in mig.rglob("*")) == ["access", "access", "ci0", "gi3"]
    assert "DeviceFileMinor: 30\n" in (mig / "gi3/access").read_text()


def test_a_gpu_without_mig_has_no_capabilities(new_sim: Open) -> None:
    folder = new_sim("l40s").root / "proc/driver/nvidia/capabilities"
    assert [path.name for path in folder.iterdir()] == ["mig"]


def test_a_reboot_takes_the_cap_nodes(new_sim: Open) -> None:
    sim = new_sim("a100-40gb=2g.10gb")
    sim.reboot()
    assert not (sim.root / "dev/nvidia-caps").exists()
    assert (sim.root / "dev/nvidia0").exists()


def test_majors_avoid_those_of_this_machine() -> None:
    assert unused_majors("Character devices:\n240 thing\n  1 mem\n", 2) == [241, 242]
    full = "".join(f"{number} thing\n" for number in range(240, 255))
    with pytest.raises(SimError, match="no free character major"):
        unused_majors(full, 1)


def test_nothing_stays_of_a_machine_that_cannot_be(new_sim: Open, tmp_path: Path) -> None:
    with pytest.raises(SimError):
        Sim.new(tmp_path / "never", ["h100-80gb=9g.90gb"])
    assert not (tmp_path / "never").exists()
