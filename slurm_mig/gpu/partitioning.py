"""The nouns of a partitioning: what a GPU can be cut into, what it is cut into, what is wanted.

A *profile* here is always a GPU instance's ("3g.20gb"); a compute instance's is `ci_profile`
("3g.20gb" when it has all slices, else "1c.3g.20gb"), as NVML names the MIG device. Pure.
"""

from typing import NamedTuple

from slurm_mig.gpu.nvml.port import GpuInfo
from slurm_mig.model import CiId, GiId, Placement, ProfileId


class GiProfile(NamedTuple):
    """A GPU instance that a GPU offers. `sm_count` is all that its compute instances can have.

    `placements` are all places on an empty GPU, in memory units, by their starts.
    """

    profile: str
    profile_id: ProfileId
    slices: int
    memory_mib: int
    sm_count: int
    max_count: int
    placements: tuple[Placement, ...]


class CiSpec(NamedTuple):
    """What a compute instance is, made or not.

    `ci_profile_id` tells those of equal name apart (an H100's 1g.20gb offers one with 16 and
    one with all 26 SMs); None: the one of that name with the most SMs.
    `start` is the first compute slice in its GPU instance; None: wherever the driver puts it.
    """

    ci_profile: str
    ci_profile_id: int | None = None
    start: int | None = None


class GiSpec(NamedTuple):
    """What a GPU instance is, made or not, with its compute instances by their starts."""

    profile: str
    placement: Placement
    cis: tuple[CiSpec, ...]


class Layout(NamedTuple):
    """What one GPU is cut into: whether MIG is on, and the GPU instances by their starts."""

    mig: bool
    instances: tuple[GiSpec, ...] = ()


class LiveCi(NamedTuple):
    """A compute instance that is there now."""

    ci_id: CiId
    spec: CiSpec
    sm_count: int


class LiveGi(NamedTuple):
    """A GPU instance that is there now, with its compute instances by their starts, or none."""

    gi_id: GiId
    profile: str
    placement: Placement
    cis: tuple[LiveCi, ...]

    @property
    def spec(self) -> GiSpec:
        """What it is, without the names that the driver gave it."""
        return GiSpec(self.profile, self.placement, tuple(ci.spec for ci in self.cis))


class LiveGpu(NamedTuple):
    """One GPU as it is now, all of it that partitioning needs.

    `pci_device_id` and `pci_subsystem_id` are NVML's numbers: device in the upper 16 bits,
    vendor in the lower. `mode_needs_reset`: a change of MIG mode waits for a reset (Ampere).
    `profiles` is empty where the driver tells none (MIG off, on some drivers).
    """

    info: GpuInfo
    pci_device_id: int
    pci_subsystem_id: int
    mode_needs_reset: bool
    profiles: tuple[GiProfile, ...]
    instances: tuple[LiveGi, ...]

    @property
    def layout(self) -> Layout:
        """What it is cut into."""
        mode = self.info.mig_mode
        on = mode is not None and mode.current
        return Layout(on, tuple(gi.spec for gi in self.instances))


class WantedGi(NamedTuple):
    """A GPU instance that somebody wants; `start` None: anywhere.

    `cis` None: one compute instance with all of it. Else their ci_profiles, by their starts;
    empty: no compute instance at all. `exactly`: the same, told apart from others of their names
    and with their starts, for what was there before.
    """

    profile: str
    start: int | None = None
    cis: tuple[str, ...] | None = None
    exactly: tuple[CiSpec, ...] | None = None


class WantedGpu(NamedTuple):
    """What somebody wants one GPU to be. Without `mig` there are no instances."""

    mig: bool
    instances: tuple[WantedGi, ...] = ()
