"""NVML and the driver's files, put together into one Node."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.driver.caps import Caps, read_caps
from slurm_mig.gpu.driver.device_files import cap_file, gpu_file
from slurm_mig.gpu.nvml.port import GiInfo, GpuInfo, MigInfo, Nvml
from slurm_mig.gpu.present.cores import near_cores, read_topology
from slurm_mig.gpu.present.remarks import gpu_warnings, node_warnings
from slurm_mig.gpu.profile import gi_profile
from slurm_mig.model import (
    CiMinor,
    Cores,
    DeviceFile,
    GiId,
    GiMinor,
    Gpu,
    GpuInstance,
    MigDevice,
    MigSpec,
    Node,
    Placement,
)


class _Seen(NamedTuple):
    """One GPU as NVML shows it. `instances` is None where only root may see them."""

    gpu: GpuInfo
    slices: tuple[MigInfo, ...]
    instances: tuple[GiInfo, ...] | None
    cores: Cores | None


def discover(nvml: Nvml, root: Path, node_name: str | None = None) -> Node:
    """Everything on this machine that a Slurm node needs to know of its GPUs.

    `node_name` is the host name up to the first dot unless given, as Slurm has it.
    Raises NvmlError when NVML does not answer, CapsError when /proc/driver is absurd. A device
    node that is missing or wrong is no error: it stands in its DeviceFile's `problems`.
    """
    seen = tuple(_see(nvml, root))
    # Without slices nobody needs the capability files, and old drivers have none.
    caps = read_caps(root) if any(one.slices for one in seen) else None
    gpus = tuple(_gpu(one, root, caps) for one in seen)
    return Node(
        name=node_name or os.uname().nodename.partition(".")[0],
        driver_version=nvml.driver_version(),
        gpus=gpus,
        warnings=node_warnings(gpus, hidden=any(one.instances is None for one in seen)),
    )


def _see(nvml: Nvml, root: Path) -> Iterator[_Seen]:
    topology = read_topology(root)
    for gpu in nvml.gpus():
        on = gpu.mig_mode is not None and gpu.mig_mode.current
        yield _Seen(
            gpu=gpu,
            slices=nvml.mig_devices(gpu.gpu_index) if on else (),
            instances=nvml.gpu_instances(gpu.gpu_index) if on else (),
            cores=near_cores(nvml.near_cpus(gpu.gpu_index), topology) if topology else None,
        )


def _gpu(seen: _Seen, root: Path, caps: Caps | None) -> Gpu:
    info = seen.gpu
    parent = gpu_file(root, info.gpu_minor)
    gpu = bare(info, parent)._replace(
        mig_devices=tuple(_mig_devices(seen, parent, caps)) if caps else (),
        empty_gpu_instances=_empty(seen),
        cores=seen.cores,
    )
    return gpu._replace(warnings=gpu_warnings(gpu))


def bare(info: GpuInfo, device_file: DeviceFile) -> Gpu:
    """A GPU without what it is cut into."""
    return Gpu(
        gpu_index=info.gpu_index,
        gpu_minor=info.gpu_minor,
        uuid=info.uuid,
        name=info.name,
        pci_bus_id=info.pci_bus_id,
        memory_mib=info.memory_mib,
        mig_mode=info.mig_mode,
        device_file=device_file,
    )


def _mig_devices(seen: _Seen, parent: DeviceFile, caps: Caps) -> Iterator[MigDevice]:
    gpu, placements = seen.gpu, _placements(seen)
    for one in seen.slices:
        gi_file = cap_file(caps, gpu.gpu_minor, one.gi_id)
        ci_file = cap_file(caps, gpu.gpu_minor, one.gi_id, one.ci_id)
        profile = gi_profile(one.profile)
        yield MigDevice(
            spec=MigSpec(gpu.uuid, profile, placements[one.gi_id], one.profile),
            mig_index=one.mig_index,
            uuid=one.uuid,
            gi_id=one.gi_id,
            ci_id=one.ci_id,
            gi_minor=GiMinor(caps.minor(gpu.gpu_minor, one.gi_id)),
            ci_minor=CiMinor(caps.minor(gpu.gpu_minor, one.gi_id, one.ci_id)),
            memory_mib=one.memory_mib,
            sm_count=one.sm_count,
            gi_slices=one.gi_slices,
            ci_slices=one.ci_slices,
            device_files=(parent, gi_file, ci_file),
        )


def _placements(seen: _Seen) -> dict[GiId, Placement | None]:
    """Where the GPU instance of every slice lies: all of them known, or none."""
    wanted = {one.gi_id for one in seen.slices}
    if seen.instances is None:
        return dict.fromkeys(wanted)
    found = {gi.gi_id: gi.placement for gi in seen.instances}
    if not wanted <= found.keys():
        raise NvmlError(
            f"GPU {seen.gpu.gpu_index}: its instances changed while they were read: "
            "run the command again"
        )
    return {gi_id: found[gi_id] for gi_id in wanted}


def _empty(seen: _Seen) -> tuple[GpuInstance, ...]:
    used = {one.gi_id for one in seen.slices}
    return tuple(
        GpuInstance(gi.gi_id, gi.profile, gi.placement)
        for gi in seen.instances or ()
        if gi.gi_id not in used
    )
