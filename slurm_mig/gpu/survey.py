"""All GPUs as they are now, with all that partitioning needs to know of them."""

from slurm_mig.gpu.nvml_port import GpuInfo
from slurm_mig.gpu.partition_port import PartitionNvml
from slurm_mig.gpu.partitioning import LiveGpu


def survey(nvml: PartitionNvml) -> tuple[LiveGpu, ...]:
    """Every GPU of the machine, by gpu_index; those without MIG have no profiles.

    Raises NvmlError: what could not be looked at is never told as empty.
    """
    return tuple(_look(nvml, gpu) for gpu in nvml.gpus())


def _look(nvml: PartitionNvml, gpu: GpuInfo) -> LiveGpu:
    able = gpu.mig_mode is not None
    on = gpu.mig_mode is not None and gpu.mig_mode.current
    ids = nvml.pci_ids(gpu.gpu_index)
    return LiveGpu(
        info=gpu,
        pci_device_id=ids.device,
        pci_subsystem_id=ids.subsystem,
        mode_needs_reset=able and nvml.mode_needs_reset(gpu.gpu_index),
        profiles=nvml.profiles(gpu.gpu_index) if able else (),
        instances=nvml.live_instances(gpu.gpu_index) if on else (),
    )
