"""The driver's names: of its files below /proc, of its device nodes, of mig-minors' entries. Pure.

A GPU is named by its minor here, never by NVML's index: the driver counts GPUs as it found them.
"""

from slurm_mig.model import CiId, GiId, GpuMinor

MIG_MINORS = "/proc/driver/nvidia-caps/mig-minors"
CAPABILITIES = "/proc/driver/nvidia/capabilities"
DEVICES = "/proc/devices"
NVIDIA_MAJOR = 195  # of /dev/nvidiaN, assigned for ever (Linux, admin-guide/devices.txt)


def gpu_path(gpu_minor: int) -> str:
    """/dev/nvidiaN"""
    return f"/dev/nvidia{gpu_minor}"


def cap_path(cap_minor: int) -> str:
    """/dev/nvidia-caps/nvidia-capN"""
    return f"/dev/nvidia-caps/nvidia-cap{cap_minor}"


def entry(gpu_minor: GpuMinor, gi_id: GiId, ci_id: CiId | None = None) -> str:
    """A GPU instance's name in mig-minors, or that of one of its compute instances."""
    compute = "" if ci_id is None else f"/ci{ci_id}"
    return f"gpu{gpu_minor}/gi{gi_id}{compute}/access"


def capability_path(gpu_minor: GpuMinor, gi_id: GiId, ci_id: CiId | None = None) -> str:
    """The live instance's `access` file, as `nvidia-modprobe -f` takes it."""
    compute = "" if ci_id is None else f"/ci{ci_id}"
    return f"{CAPABILITIES}/gpu{gpu_minor}/mig/gi{gi_id}{compute}/access"


def known_minor(gpu_minor: GpuMinor, gi_id: GiId, ci_id: CiId | None = None) -> int:
    """The minor in the table of all drivers known so far (nv-caps.c of the open modules).

    Only a cross-check: nothing promises that the table stays.
    """
    gpu_instance = 3 + 135 * gpu_minor + 9 * gi_id
    return gpu_instance if ci_id is None else gpu_instance + 1 + ci_id
