"""Nodes written by hand, as discover would have made them: for tests of the Slurm side alone."""

import re
from collections.abc import Sequence

from slurm_mig.model import (
    CiId,
    CiMinor,
    Cores,
    DeviceFile,
    GiId,
    GiMinor,
    Gpu,
    GpuIndex,
    GpuInstance,
    GpuMinor,
    MigDevice,
    MigIndex,
    MigMode,
    MigSpec,
    Node,
)
from slurm_mig.slurm.records.gres import GresOptions
from slurm_mig.slurm.version import SlurmVersion

A100 = "NVIDIA A100-SXM4-40GB"
H100 = "NVIDIA H100 80GB HBM3"
RTX = "NVIDIA RTX PRO 6000 Blackwell Server Edition"

# The memory that NVML tells, by the profile's name: A100-40GB and H100-80GB (a few each).
MEMORY_MIB = {
    "5gb": 4864,
    "10gb": 9856,
    "20gb": 19968,
    "23gb": 23296,
    "24gb": 24192,
    "40gb": 40192,
    "80gb": 80384,
}
ON = MigMode(True, True)
PROFILE = re.compile(r"(?:(\d)c\.)?(\d)g\.(\d+gb)")


def device_file(path: str, *problems: str) -> DeviceFile:
    """A device node that is right, or has these problems."""
    return DeviceFile(path, 240, 1, 0o444, problems)


def mig_device(
    profile: str,
    gi_id: int,
    ci_id: int = 0,
    *,
    gpu_minor: int = 0,
    mig_index: int = 0,
    problems: Sequence[str] = (),
) -> MigDevice:
    """A slice with the caps that the driver gives it (135 a GPU, 9 a GPU instance)."""
    ci_slices, gi_slices, memory = PROFILE.match(profile).groups()  # type: ignore[union-attr]
    gi_minor = 3 + 135 * gpu_minor + 9 * gi_id
    ci_minor = gi_minor + 1 + ci_id
    return MigDevice(
        spec=MigSpec(f"GPU-{gpu_minor}", profile.partition("c.")[2] or profile, None, profile),
        mig_index=MigIndex(mig_index),
        uuid=f"MIG-{gpu_minor}-{gi_id}-{ci_id}",
        gi_id=GiId(gi_id),
        ci_id=CiId(ci_id),
        gi_minor=GiMinor(gi_minor),
        ci_minor=CiMinor(ci_minor),
        memory_mib=MEMORY_MIB[memory],
        sm_count=14,
        gi_slices=int(gi_slices),
        ci_slices=int(ci_slices or gi_slices),
        device_files=(
            device_file(f"/dev/nvidia{gpu_minor}"),
            device_file(f"/dev/nvidia-caps/nvidia-cap{gi_minor}", *problems),
            device_file(f"/dev/nvidia-caps/nvidia-cap{ci_minor}"),
        ),
    )


def gpu(
    *profiles: str,
    name: str = A100,
    gpu_index: int = 0,
    gpu_minor: int | None = None,
    mig_mode: MigMode | None = ON,
    devices: Sequence[MigDevice] | None = None,
    empty: Sequence[GpuInstance] = (),
    cores: Cores | None = None,
    memory_mib: int = 40960,
    warnings: Sequence[str] = (),
) -> Gpu:
    """A GPU cut into these profiles: GI ids from 7 upward, MIG indices from 0."""
    minor = gpu_index if gpu_minor is None else gpu_minor
    if devices is None:
        devices = [
            mig_device(profile, 7 + at, gpu_minor=minor, mig_index=at)
            for at, profile in enumerate(profiles)
        ]
    return Gpu(
        gpu_index=GpuIndex(gpu_index),
        gpu_minor=GpuMinor(minor),
        uuid=f"GPU-{minor}",
        name=name,
        pci_bus_id=f"00000000:{gpu_index + 1:02X}:00.0",
        memory_mib=memory_mib,
        mig_mode=mig_mode,
        device_file=device_file(f"/dev/nvidia{minor}"),
        mig_devices=tuple(devices),
        empty_gpu_instances=tuple(empty),
        cores=cores,
        warnings=tuple(warnings),
    )


def whole_gpu(gpu_index: int = 0, name: str = A100, **rest: object) -> Gpu:
    """A GPU with MIG off."""
    return gpu(name=name, gpu_index=gpu_index, mig_mode=MigMode(False, False), **rest)  # type: ignore[arg-type]


def node(*gpus: Gpu, name: str = "n1", warnings: Sequence[str] = ()) -> Node:
    """A node of these GPUs."""
    return Node(name, "570.86.15", gpus, tuple(warnings))


def options(version: str = "24.11.5", *, nvml: bool = False, profile: bool = False) -> GresOptions:
    """gen-gres's options in short."""
    return GresOptions(SlurmVersion.parse(version), nvml, profile)
