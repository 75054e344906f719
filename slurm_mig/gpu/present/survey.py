"""All GPUs as they are now, with all that partitioning needs to know of them."""

from collections.abc import Mapping
from typing import NamedTuple

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.nvml.partition_port import PartitionNvml
from slurm_mig.gpu.nvml.port import GpuInfo
from slurm_mig.gpu.partitioning import LiveGpu
from slurm_mig.model import GpuIndex


class Seen(NamedTuple):
    """The GPUs that answered, by gpu_index, and why the others did not."""

    gpus: tuple[LiveGpu, ...]
    unseen: Mapping[GpuIndex, str]

    def by_uuid(self) -> dict[str, LiveGpu]:
        """Those that answered, by their UUIDs."""
        return {gpu.info.uuid: gpu for gpu in self.gpus}


def survey(nvml: PartitionNvml) -> tuple[LiveGpu, ...]:
    """Every GPU of the machine, by gpu_index.

    `profiles` is empty where it is unknown what fits: without MIG, and while it is off.
    Raises NvmlError: what could not be looked at is never told as empty.
    """
    return tuple(_look(nvml, gpu) for gpu in nvml.gpus())


def survey_each(nvml: PartitionNvml) -> Seen:
    """As `survey`, though some GPUs do not answer. Raises NvmlError where NVML does not."""
    gpus, unseen = [], {}
    for gpu_index in map(GpuIndex, range(nvml.gpu_count())):
        try:
            gpus.append(_look(nvml, nvml.gpu(gpu_index)))
        except NvmlError as why:
            unseen[gpu_index] = str(why)
    return Seen(tuple(gpus), unseen)


def look(nvml: PartitionNvml, gpu_index: GpuIndex) -> LiveGpu:
    """One GPU. Raises NvmlError."""
    return _look(nvml, nvml.gpu(gpu_index))


def _look(nvml: PartitionNvml, gpu: GpuInfo) -> LiveGpu:
    able = gpu.mig_mode is not None
    on = gpu.mig_mode is not None and gpu.mig_mode.current
    ids = nvml.pci_ids(gpu.gpu_index)
    return LiveGpu(
        info=gpu,
        pci_device_id=ids.device,
        pci_subsystem_id=ids.subsystem,
        mode_needs_reset=able and nvml.mode_needs_reset(gpu.gpu_index),
        profiles=nvml.profiles(gpu.gpu_index) if on else (),
        instances=nvml.live_instances(gpu.gpu_index) if on else (),
    )
