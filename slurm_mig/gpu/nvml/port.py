"""The port: what slurm-mig asks of NVML, in plain frozen data.

Behind it stands nvidia-ml-py (nvml.py) or, in tests, a fake held to the same contract.
Named tuples, not dataclasses, in this folder: each is made a millisecond sooner, at every start.
"""

from typing import NamedTuple, Protocol

from slurm_mig.model import (
    CiId,
    GiId,
    GpuIndex,
    GpuMinor,
    MigIndex,
    MigMode,
    Placement,
    ProfileId,
)


class GpuInfo(NamedTuple):
    """One physical GPU. `mig_mode` is None where it cannot do MIG."""

    gpu_index: GpuIndex
    gpu_minor: GpuMinor
    uuid: str
    name: str
    pci_bus_id: str
    memory_mib: int
    mig_mode: MigMode | None


class MigInfo(NamedTuple):
    """One MIG device, that is, one compute instance. `memory_mib` is its GPU instance's."""

    mig_index: MigIndex
    uuid: str
    profile: str
    gi_id: GiId
    ci_id: CiId
    memory_mib: int
    sm_count: int
    gi_slices: int
    ci_slices: int


class GiInfo(NamedTuple):
    """One GPU instance, whether or not it has compute instances."""

    gi_id: GiId
    profile: str
    profile_id: ProfileId
    placement: Placement


class Nvml(Protocol):
    """An open NVML session. Every method raises NvmlError when NVML does not answer.

    A `gpu_index` that is not there is NvmlError with code INVALID_ARGUMENT.
    """

    def driver_version(self) -> str:
        """Such as "570.86.15"."""

    def gpus(self) -> tuple[GpuInfo, ...]:
        """All GPUs of the machine by gpu_index, which is PCI bus order."""

    def near_cpus(self, gpu_index: GpuIndex) -> frozenset[int] | None:
        """The machine's CPU numbers next to a GPU; None where NVML does not know."""

    def mig_devices(self, gpu_index: GpuIndex) -> tuple[MigInfo, ...]:
        """The MIG devices of a GPU by mig_index, which may have gaps; none without MIG."""

    def gpu_instances(self, gpu_index: GpuIndex) -> tuple[GiInfo, ...] | None:
        """The GPU instances of a GPU by gi_id; None where only root may see them."""
