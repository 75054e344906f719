"""What an administrator is told of a node that works."""

from pathlib import Path

import pytest

from slurm_mig.gpu.present.discover import discover
from slurm_mig.model import MigMode
from tests.fakes import FakeGpu, FakeNvml, empty, slice_of
from tests.gpu.driver_tree import lay_out, mig_minors, write


def gpu_warnings(root: Path, gpu: FakeGpu) -> tuple[str, ...]:
    nvml = FakeNvml([gpu])
    return discover(nvml, lay_out(root, nvml)).gpus[0].warnings


def test_nothing_to_say(root: Path, nvml: FakeNvml) -> None:
    node = discover(nvml, root)
    assert node.warnings == ()
    assert node.gpus[0].warnings == ()


@pytest.mark.parametrize(
    ("mode", "warning"),
    [
        (MigMode(current=True, pending=False), "MIG mode is on until the GPU is reset, then off"),
        (MigMode(current=False, pending=True), "MIG mode is off until the GPU is reset, then on"),
    ],
)
def test_a_mode_that_waits_for_a_reset(tmp_path: Path, mode: MigMode, warning: str) -> None:
    assert warning in gpu_warnings(tmp_path, FakeGpu((), mig_mode=mode))


def test_mig_without_instances(tmp_path: Path) -> None:
    gpu = FakeGpu((), mig_mode=MigMode(current=True, pending=True))
    assert gpu_warnings(tmp_path, gpu) == (
        "MIG mode is on but there are no instances: no job can use this GPU",
    )


def test_gpu_instances_without_compute_instances(tmp_path: Path) -> None:
    gpu = FakeGpu((empty("3g.40gb", 4, 4, 1), empty("1g.10gb", 0, 1, 9)))
    assert gpu_warnings(tmp_path, gpu) == (
        "GPU instance 1 (3g.40gb) has no compute instance: no job can use it",
        "GPU instance 9 (1g.10gb) has no compute instance: no job can use it",
    )


@pytest.mark.parametrize(("gaps", "first"), [({0}, 0), ({1}, 1), ({0, 1}, 0)])
def test_a_gap_in_the_mig_indices(tmp_path: Path, gaps: set[int], first: int) -> None:
    slices = (slice_of("3g.40gb", 0, 4, 1), slice_of("3g.40gb", 4, 4, 2))
    (warning,) = gpu_warnings(tmp_path, FakeGpu(slices, mig_gaps=frozenset(gaps)))
    assert f"a gap at index {first}: Slurm's AutoDetect=nvml loses all devices" in warning


def test_files_that_only_root_can_open(root: Path, nvml: FakeNvml) -> None:
    (root / "dev/nvidia0").chmod(0o660)
    (root / "dev/nvidia-caps/nvidia-cap30").chmod(0o400)  # shared by two compute instances
    assert discover(nvml, root).gpus[0].warnings == (
        "/dev/nvidia0 has mode 0660: only its owner and group can use it",
        "/dev/nvidia-caps/nvidia-cap30 has mode 0400: only its owner and group can use it",
    )


def test_what_only_root_sees(root: Path, nvml: FakeNvml) -> None:
    nvml.root_user = False
    (warning,) = discover(nvml, root).warnings
    assert warning.endswith("to root only: run as root to see them")


def test_a_numbering_unlike_all_known_drivers_is_told_once(root: Path, nvml: FakeNvml) -> None:
    """The formula is a cross-check: mig-minors is believed."""
    moved = mig_minors().replace("gpu0/gi1/access 12\n", "gpu0/gi1/access 5000\n")
    write(root, "/proc/driver/nvidia-caps/mig-minors", moved)
    node = discover(nvml, root)
    (warning,) = node.warnings
    assert "says 5000 for gpu0/gi1/access, drivers known so far say 12" in warning
    assert node.gpus[0].mig_devices[0].gi_minor == 5000
