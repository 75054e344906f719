"""The port's other half: what a partitioning asks of NVML, and what it tells it to do.

Behind it stands nvidia-ml-py (nvml_partition.py) or, in tests, a fake held to the same contract.
Only root may use it: to others NVML answers NO_PERMISSION.
"""

from typing import NamedTuple, Protocol

from slurm_mig.gpu.nvml.port import GpuInfo, Nvml
from slurm_mig.gpu.partitioning import CiSpec, GiProfile, LiveGi
from slurm_mig.model import CiId, GiId, GpuIndex, MigMode, Placement, ProfileId


class PciIds(NamedTuple):
    """NVML's numbers: the device (or subsystem device) in the upper 16 bits, its vendor below."""

    device: int
    subsystem: int


class PartitionNvml(Nvml, Protocol):
    """An open NVML session that can also change what GPUs are cut into.

    Every method raises NvmlError when NVML refuses or does not answer. Instances are named by
    their ids: no handle outlives a change, for the driver gives it to something else.
    """

    def gpu_count(self) -> int:
        """How many GPUs there are, those off the bus too."""

    def gpu(self, gpu_index: GpuIndex) -> GpuInfo:
        """One of them, though another be off the bus."""

    def pci_ids(self, gpu_index: GpuIndex) -> PciIds:
        """What kind of board it is."""

    def mode_needs_reset(self, gpu_index: GpuIndex) -> bool:
        """Whether a change of MIG mode waits for a reset of this GPU: so on Ampere."""

    def profiles(self, gpu_index: GpuIndex) -> tuple[GiProfile, ...]:
        """The GPU instances that a GPU offers, by profile_id.

        With MIG off, drivers tell no placements (`placements` is empty), old ones no profiles.
        """

    def live_instances(self, gpu_index: GpuIndex) -> tuple[LiveGi, ...]:
        """The GPU instances of a GPU, by their starts, with their compute instances."""

    def set_mig_mode(self, gpu_index: GpuIndex, on: bool) -> MigMode:
        """Ask for a MIG mode; the mode as it is afterwards.

        `current` != `pending`: it waits for a reset. NvmlError IN_USE when a process holds the
        GPU; then the mode asked for stays pending, until the other is asked for.
        """

    def create_gi(self, gpu_index: GpuIndex, profile_id: ProfileId, placement: Placement) -> GiId:
        """Make a GPU instance at that place; its gi_id."""

    def create_ci(self, gpu_index: GpuIndex, gi_id: GiId, spec: CiSpec) -> CiId:
        """Make a compute instance; its ci_id. NvmlError when no profile fits `spec`."""

    def destroy_ci(self, gpu_index: GpuIndex, gi_id: GiId, ci_id: CiId) -> None:
        """NvmlError IN_USE when a process is on it."""

    def destroy_gi(self, gpu_index: GpuIndex, gi_id: GiId) -> None:
        """NvmlError IN_USE when it has compute instances or a process is on it."""
