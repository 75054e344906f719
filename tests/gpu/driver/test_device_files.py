"""Device nodes as they should be and as they are. Makes real nodes: needs root."""

from pathlib import Path

import pytest

from slurm_mig.errors import CapsError
from slurm_mig.gpu.driver.caps import read_caps
from slurm_mig.gpu.driver.device_files import cap_file, gpu_file
from slurm_mig.gpu.driver.names import capability_path
from slurm_mig.model import CiId, DeviceFile, GiId, GpuMinor
from tests.gpu.driver_tree import ACCESS, make_node, write

GPU, GI, CI = GpuMinor(0), GiId(1), CiId(0)
GI_NODE = "/dev/nvidia-caps/nvidia-cap12"
CI_NODE = "/dev/nvidia-caps/nvidia-cap13"
GI_ACCESS = capability_path(GPU, GI)
MODPROBE = f"`nvidia-modprobe -f {GI_ACCESS}`"
MKNOD = f"`mknod -m 444 {GI_NODE} c 240 12`"


def problem_of(root: Path) -> str:
    """The one problem of the GPU instance's node."""
    (problem,) = cap_file(read_caps(root), GPU, GI).problems
    return problem


def at(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def test_all_is_right(root: Path) -> None:
    caps = read_caps(root)
    assert gpu_file(root, GPU) == DeviceFile("/dev/nvidia0", 195, 0, 0o666)
    assert cap_file(caps, GPU, GI) == DeviceFile(GI_NODE, 240, 12, 0o444)
    assert cap_file(caps, GPU, GI, CI) == DeviceFile(CI_NODE, 240, 13, 0o444)


def test_a_missing_node_is_told_with_the_commands_that_make_it(root: Path) -> None:
    at(root, GI_NODE).unlink()
    assert problem_of(root) == f"{GI_NODE} is missing: make it with {MODPROBE} or {MKNOD}"
    assert cap_file(read_caps(root), GPU, GI).mode is None


def test_no_folder_of_nodes_at_all(root: Path) -> None:
    for node in at(root, "/dev/nvidia-caps").iterdir():
        node.unlink()
    at(root, "/dev/nvidia-caps").rmdir()
    assert "is missing" in problem_of(root)


def test_a_missing_gpu_node(root: Path) -> None:
    at(root, "/dev/nvidia0").unlink()
    (problem,) = gpu_file(root, GPU).problems
    assert problem.endswith("`nvidia-modprobe -c 0` or `mknod -m 666 /dev/nvidia0 c 195 0`")


@pytest.mark.parametrize(("major", "minor"), [(240, 13), (241, 12), (1, 3)])
def test_a_node_with_other_numbers(root: Path, major: int, minor: int) -> None:
    at(root, GI_NODE).unlink()
    make_node(root, GI_NODE, major, minor, 0o444)
    assert problem_of(root).startswith(
        f"{GI_NODE} is device {major}:{minor}, not 240:12: remove it and make it with "
    )


def test_a_link_is_no_node_even_to_the_right_one(root: Path) -> None:
    node = at(root, GI_NODE)
    node.rename(node.with_name("elsewhere"))
    node.symlink_to("elsewhere")
    assert f"{GI_NODE} is a link: remove it" in problem_of(root)


def test_a_folder_that_leads_in_circles_is_a_problem_not_a_crash(root: Path) -> None:
    folder = at(root, "/dev/nvidia-caps")
    folder.rename(folder.with_name("gone"))
    folder.symlink_to("nvidia-caps")
    assert problem_of(root).startswith(f"{GI_NODE} cannot be looked at (Too many levels of")


def test_a_regular_file_is_no_node(root: Path) -> None:
    at(root, GI_NODE).unlink()
    write(root, GI_NODE, "")
    assert f"{GI_NODE} is no character device: remove it" in problem_of(root)


def test_where_modprobe_may_not_only_mknod_is_advised(root: Path) -> None:
    write(root, GI_ACCESS, ACCESS.format(minor=12, mode=0o440, modify=0))
    at(root, GI_NODE).unlink()
    assert problem_of(root) == (
        f"{GI_NODE} is missing: make it with `mknod -m 440 {GI_NODE} c 240 12`"
    )


def test_the_capabilities_tree_contradicts_mig_minors(root: Path) -> None:
    write(root, GI_ACCESS, ACCESS.format(minor=57, mode=0o444, modify=1))
    assert problem_of(root).startswith(
        f"{GI_ACCESS} says minor 57, /proc/driver/nvidia-caps/mig-minors says 12: "
    )


def test_the_capabilities_tree_does_not_know_the_instance(root: Path) -> None:
    at(root, GI_ACCESS).unlink()
    assert problem_of(root).startswith(f"{GI_ACCESS} is missing, though NVML lists the instance")


def test_all_problems_of_a_node_are_told(root: Path) -> None:
    at(root, GI_ACCESS).unlink()
    at(root, GI_NODE).unlink()
    first, second = cap_file(read_caps(root), GPU, GI).problems
    assert "though NVML lists" in first
    assert second.endswith(f"make it with {MKNOD}")


def test_without_a_major_no_node_can_be_right(root: Path) -> None:
    write(root, "/proc/devices", "Character devices:\n  1 mem\n")
    file = cap_file(read_caps(root), GPU, GI)
    assert (file.path, file.major, file.mode) == (GI_NODE, None, None)
    assert problem_of(root).startswith("/proc/devices has no nvidia-caps")


def test_an_absurd_access_file_is_an_error(root: Path) -> None:
    write(root, GI_ACCESS, "DeviceFileMinor: \n")
    with pytest.raises(CapsError, match=r"gi1/access, line 1"):
        cap_file(read_caps(root), GPU, GI)
