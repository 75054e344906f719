"""The device nodes of GPUs and slices: as the driver wants them, and as they are."""

import os
import stat
from pathlib import Path

from slurm_mig.files import under
from slurm_mig.gpu.driver.caps import Capability, Caps
from slurm_mig.gpu.driver.names import (
    DEVICES,
    MIG_MINORS,
    NVIDIA_MAJOR,
    cap_path,
    capability_path,
    gpu_path,
)
from slurm_mig.model import CiId, DeviceFile, GiId, GpuMinor


def gpu_file(root: Path, gpu_minor: GpuMinor) -> DeviceFile:
    """The GPU's own device node, looked at."""
    path = gpu_path(gpu_minor)
    make = f"`nvidia-modprobe -c {gpu_minor}` or `mknod -m 666 {path} c {NVIDIA_MAJOR} {gpu_minor}`"
    mode, problems = _look(root, path, NVIDIA_MAJOR, gpu_minor, make)
    return DeviceFile(path, NVIDIA_MAJOR, gpu_minor, mode, problems)


def cap_file(caps: Caps, gpu_minor: GpuMinor, gi_id: GiId, ci_id: CiId | None = None) -> DeviceFile:
    """The capability node of a GPU instance, or of one of its compute instances, looked at.

    Raises CapsError when the driver's files cannot be believed.
    """
    minor = caps.minor(gpu_minor, gi_id, ci_id)
    path, access = cap_path(minor), capability_path(gpu_minor, gi_id, ci_id)
    if caps.major is None:
        problem = f"{DEVICES} has no nvidia-caps: load the nvidia module, or reboot"
        return DeviceFile(path, None, minor, None, (problem,))
    live = caps.capability(gpu_minor, gi_id, ci_id)
    mknod = f"`mknod -m {0o444 if live is None else live.mode:o} {path} c {caps.major} {minor}`"
    # nvidia-modprobe obeys DeviceFileModify: 0 and would make nothing.
    make = f"`nvidia-modprobe -f {access}` or {mknod}" if live and live.modify else mknod
    mode, problems = _look(caps.root, path, caps.major, minor, make)
    return DeviceFile(
        path, caps.major, minor, mode, (*_against_tree(live, minor, access), *problems)
    )


def _against_tree(live: Capability | None, minor: int, access: str) -> tuple[str, ...]:
    """What of mig-minors the capabilities tree contradicts."""
    if live is None:
        return (f"{access} is missing, though NVML lists the instance: run the command again",)
    if live.minor != minor:
        return (
            f"{access} says minor {live.minor}, {MIG_MINORS} says {minor}: "
            "reload the nvidia module, or reboot",
        )
    return ()


def _look(
    root: Path, path: str, major: int, minor: int, make: str
) -> tuple[int | None, tuple[str, ...]]:
    """The permission bits of a node (None: none there) and what is wrong with it."""
    try:
        found = under(root, path).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None, (f"{path} is missing: make it with {make}",)
    except OSError as error:
        return None, (f"{path} cannot be looked at ({error.strerror}): run as root",)
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISCHR(found.st_mode):
        # A link too: Slurm and the device cgroup follow it, wherever it will point tomorrow.
        kind = "a link" if stat.S_ISLNK(found.st_mode) else "no character device"
        return mode, (f"{path} is {kind}: remove it and make it with {make}",)
    numbers = os.major(found.st_rdev), os.minor(found.st_rdev)
    if numbers != (major, minor):
        wrong = "{}:{}".format(*numbers)
        return mode, (
            f"{path} is device {wrong}, not {major}:{minor}: remove it and make it with {make}",
        )
    return mode, ()
