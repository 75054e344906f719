"""A Node as the JSON of `discover --json` (a contract) and back.

What other programs may rely on is in docs/; keys that are not known are passed over, so that
a later version may add some. The reader believes nothing: what it lets through ends up in
gres.conf, which slurmd reads as root.
"""

from typing import Any

from slurm_mig.model import DeviceFile, Gpu, GpuInstance, MigDevice, Node, Placement

VERSION = 1


def to_json(node: Node) -> dict[str, Any]:
    """The object of `discover --json`."""
    return {
        "version": VERSION,
        "node": node.name,
        "driver_version": node.driver_version,
        "gpus": [_gpu(gpu) for gpu in node.gpus],
        "warnings": list(node.warnings),
    }


def _gpu(gpu: Gpu) -> dict[str, Any]:
    mode, cores = gpu.mig_mode, gpu.cores
    return {
        "gpu_index": gpu.gpu_index,
        "gpu_minor": gpu.gpu_minor,
        "uuid": gpu.uuid,
        "name": gpu.name,
        "pci_bus_id": gpu.pci_bus_id,
        "memory_mib": gpu.memory_mib,
        "mig_mode": {
            "current": mode and mode.current,
            "pending": mode and mode.pending,
        },
        "device_file": _file(gpu.device_file),
        "cores": cores
        and {
            "first_to_last": [list(pair) for pair in cores.first_to_last],
            "fill_sockets": cores.fill_sockets,
        },
        "mig_devices": [_mig_device(device) for device in gpu.mig_devices],
        "empty_gpu_instances": [_instance(instance) for instance in gpu.empty_gpu_instances],
        "warnings": list(gpu.warnings),
    }


def _mig_device(device: MigDevice) -> dict[str, Any]:
    return {
        "mig_index": device.mig_index,
        "uuid": device.uuid,
        "profile": device.profile,
        "gi_id": device.gi_id,
        "ci_id": device.ci_id,
        "placement": _placement(device.spec.placement),
        "gi_minor": device.gi_minor,
        "ci_minor": device.ci_minor,
        "device_files": [file.path for file in device.device_files],
        "memory_mib": device.memory_mib,
        "sm_count": device.sm_count,
        "gi_slices": device.gi_slices,
        "ci_slices": device.ci_slices,
        "device_nodes": [_file(file) for file in device.device_files],
    }


def _instance(instance: GpuInstance) -> dict[str, Any]:
    return {
        "gi_id": instance.gi_id,
        "profile": instance.profile,
        "placement": _placement(instance.placement),
    }


def _placement(placement: Placement | None) -> dict[str, int] | None:
    if placement is None:
        return None
    return {"start": placement.start, "size": placement.size}


def _file(file: DeviceFile) -> dict[str, Any]:
    return {
        "path": file.path,
        "major": file.major,
        "minor": file.minor,
        "mode": None if file.mode is None else f"{file.mode:04o}",
        "problems": list(file.problems),
    }
