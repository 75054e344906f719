"""The machine's files below DIR/root that never change, and its device nodes.

/proc/driver/nvidia/capabilities/gpuN/mig is not here: the library keeps it (tree.c).
"""

import os
import re
import stat
import uuid
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from tests.sim.errors import SimError
from tests.sim.machine import Place

GPU_MAJOR = 195  # nvidiaN and nvidiactl, registered for NVIDIA
LAST_GPU, LAST_GI, LAST_CI = 31, 14, 7  # the driver's static table (nv-caps.c)


@cache
def mig_minors() -> str:
    """/proc/driver/nvidia-caps/mig-minors: every possible instance, live or not."""
    return "".join(f"{name} {number}\n" for name, number in _capabilities())


def _capabilities() -> Iterator[tuple[str, int]]:
    yield "config", 1
    yield "monitor", 2
    for gpu in range(LAST_GPU + 1):
        for gi in range(LAST_GI + 1):
            number = 3 + 135 * gpu + 9 * gi
            yield f"gpu{gpu}/gi{gi}/access", number
            for ci in range(LAST_CI + 1):
                yield f"gpu{gpu}/gi{gi}/ci{ci}/access", number + 1 + ci


def used_majors(devices: str) -> set[int]:
    """All majors, of blocks too, that /proc/devices names."""
    return {int(number) for number in re.findall(r"^ *(\d+) ", devices, re.MULTILINE)}


def unused_majors(devices: str, count: int) -> list[int]:
    """Character majors (240-254, for local use) that this machine has no driver for.

    With a driver behind it, opening a node would reach that driver: it must be ENXIO.
    """
    used = used_majors(devices)
    free = [number for number in range(240, 255) if number not in used]
    if len(free) < count:
        raise SimError("no free character major between 240 and 254 on this machine")
    return free[:count]


def write_proc(root: Path, gpus: Sequence[Place], driver: str) -> None:
    """Everything below /proc that the driver shows and that never changes."""
    proc = root / "proc"
    devices = Path("/proc/devices").read_text()
    caps, uvm = unused_majors(devices, 2)
    ours = f"{GPU_MAJOR} nvidia\n{GPU_MAJOR} nvidiactl\n{caps} nvidia-caps\n{uvm} nvidia-uvm\n"
    _write(proc / "devices", devices.replace("\n\nBlock", f"\n{ours}\nBlock", 1))
    nvidia = proc / "driver" / "nvidia"
    _write(
        nvidia / "version",
        f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {driver}  (simulated)\n"
        "GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n",
    )
    for gpu in gpus:
        _write(nvidia / "gpus" / gpu.proc_bus_id / "information", _information(gpu))
    for name, number, mode in (("config", 1, 0o400), ("monitor", 2, 0o444)):
        _write(
            nvidia / "capabilities" / "mig" / name,
            f"DeviceFileMinor: {number}\nDeviceFileMode: {mode}\nDeviceFileModify: 1\n",
        )
    _write(proc / "driver" / "nvidia-caps" / "mig-minors", mig_minors())


def _information(gpu: Place) -> str:
    return (
        f"Model: \t\t {gpu.model.name}\nIRQ:   \t\t {100 + gpu.index}\nGPU UUID: \t {gpu.uuid}\n"
        "Video BIOS: \t 96.00.5e.00.01\nBus Type: \t PCIe\nDMA Size: \t 52 bits\n"
        f"DMA Mask: \t 0xfffffffffffff\nBus Location: \t {gpu.proc_bus_id}\n"
        f"Device Minor: \t {gpu.minor}\nGPU Excluded:\t No\n"
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o444)


def write_boot_id(root: Path) -> None:
    """A new /proc/sys/kernel/random/boot_id. Until the first one the machine has its host's."""
    file = root / "proc/sys/kernel/random/boot_id"
    file.unlink(missing_ok=True)
    _write(file, f"{uuid.uuid4()}\n")


def make_gpu_nodes(root: Path, gpus: Sequence[Place]) -> None:
    """/dev/nvidiaN, nvidiactl and nvidia-uvm, which the driver's packages make at boot."""
    dev = root / "dev"
    dev.mkdir(parents=True, exist_ok=True)
    for gpu in gpus:
        _node(dev / f"nvidia{gpu.minor}", GPU_MAJOR, gpu.minor, 0o666)
    _node(dev / "nvidiactl", GPU_MAJOR, 255, 0o666)
    _node(dev / "nvidia-uvm", _major(root, "nvidia-uvm"), 0, 0o666)


def make_cap_nodes(root: Path) -> list[Path]:
    """What nvidia-modprobe does: a node for every capability that has none, or a wrong one."""
    capabilities = root / "proc" / "driver" / "nvidia" / "capabilities"
    major, made = _major(root, "nvidia-caps"), []
    for file in sorted(capabilities.rglob("*")):
        if not file.is_file() or file.name.startswith("."):
            continue
        numbers = dict(re.findall(r"^(\w+): (\d+)$", file.read_text(), re.MULTILINE))
        minor, mode = int(numbers["DeviceFileMinor"]), int(numbers["DeviceFileMode"])
        path = root / "dev" / "nvidia-caps" / f"nvidia-cap{minor}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if _node(path, major, minor, mode):
            made.append(path)
    return made


def _major(root: Path, name: str) -> int:
    found = re.search(rf"^ *(\d+) {name}$", (root / "proc/devices").read_text(), re.MULTILINE)
    if found is None:
        raise SimError(f"{root}/proc/devices has no line {name}")
    return int(found[1])


def _node(path: Path, major: int, minor: int, mode: int) -> bool:
    """Make a character device; false if it was there already and right."""
    wanted = (stat.S_IFCHR, os.makedev(major, minor))
    if path.exists():
        found = path.stat()
        if (stat.S_IFMT(found.st_mode), found.st_rdev) == wanted:
            return False
        path.unlink()
    try:
        os.mknod(path, stat.S_IFCHR | mode, wanted[1])
    except PermissionError:
        raise SimError(f"cannot make the device node {path}: run as root") from None
    path.chmod(mode)
    return True
