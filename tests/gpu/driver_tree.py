"""The driver's files below a root, for a FakeNvml's machine: what a driver would have laid out."""

import os
import stat
from pathlib import Path

from slurm_mig.gpu.driver.names import capability_path, entry, known_minor
from slurm_mig.model import CiId, GiId, GpuMinor
from tests.fakes import FakeNvml

CAPS_MAJOR = 240
DEVICES = """Character devices:
  1 mem
195 nvidia
195 nvidiactl
{major} nvidia-caps
511 nvidia-caps-imex-channels

Block devices:
  7 loop
259 blkext
"""
ACCESS = "DeviceFileMinor: {minor}\nDeviceFileMode: {mode}\nDeviceFileModify: {modify}\n"


def write(root: Path, path: str, text: str) -> Path:
    """Make the file `path` below `root`, with its folders."""
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def make_node(root: Path, path: str, major: int, minor: int, mode: int) -> Path:
    """Make the character device `path` below `root`."""
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    os.mknod(file, stat.S_IFCHR | mode, os.makedev(major, minor))
    file.chmod(mode)
    return file


def mig_minors() -> str:
    """The whole file, as drivers print it: 32 GPUs, 15 GPU instances, 8 compute instances."""
    lines = ["config 1", "monitor 2"]
    for gpu in map(GpuMinor, range(32)):
        for gi in map(GiId, range(15)):
            lines.append(f"{entry(gpu, gi)} {known_minor(gpu, gi)}")
            for ci in map(CiId, range(8)):
                lines.append(f"{entry(gpu, gi, ci)} {known_minor(gpu, gi, ci)}")
    return "\n".join(lines) + "\n"


def lay_out(root: Path, nvml: FakeNvml, *, nodes: bool = True) -> Path:
    """Write /proc and, if `nodes`, /dev below `root`; returns it."""
    write(root, "/proc/devices", DEVICES.format(major=CAPS_MAJOR))
    write(root, "/proc/driver/nvidia-caps/mig-minors", mig_minors())
    for gpu in nvml.gpus():
        make_node(root, f"/dev/nvidia{gpu.gpu_minor}", 195, gpu.gpu_minor, 0o666)
        for device in nvml.mig_devices(gpu.gpu_index):
            for ci_id in (None, device.ci_id):
                instance(root, gpu.gpu_minor, device.gi_id, ci_id, nodes=nodes)
    nvml.calls.clear()
    return root


def instance(
    root: Path, gpu_minor: GpuMinor, gi_id: GiId, ci_id: CiId | None, *, nodes: bool = True
) -> None:
    """The `access` file of one live instance and, if `nodes`, its device node."""
    minor = known_minor(gpu_minor, gi_id, ci_id)
    path = capability_path(gpu_minor, gi_id, ci_id)
    write(root, path, ACCESS.format(minor=minor, mode=0o444, modify=1))
    node = f"/dev/nvidia-caps/nvidia-cap{minor}"
    if nodes and not (root / node.lstrip("/")).exists():
        make_node(root, node, CAPS_MAJOR, minor, 0o444)
