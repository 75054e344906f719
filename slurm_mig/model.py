"""The nouns: a node, its GPUs and their MIG slices, as they are at one moment.

Slurm's words for Slurm's things, NVIDIA's for NVIDIA's (docs/glossary.md). An integer that
names something has a type of its own, so that one kind is never taken for another.

Named tuples, not dataclasses: everything imports this, and to make a frozen dataclass takes
some six times as long as to make one of these.
"""

from typing import NamedTuple, NewType

GpuIndex = NewType("GpuIndex", int)  # position in NVML's list (PCI bus order)
GpuMinor = NewType("GpuMinor", int)  # N of /dev/nvidiaN, and of gpuN in mig-minors
GiId = NewType("GiId", int)  # GPU instance, opaque: never a placement or a count
CiId = NewType("CiId", int)  # compute instance inside its GPU instance, 0..7
GiMinor = NewType("GiMinor", int)  # N of /dev/nvidia-caps/nvidia-capN for the GPU instance
CiMinor = NewType("CiMinor", int)  # the same for the compute instance
MigIndex = NewType("MigIndex", int)  # slot in NVML's list of a GPU's MIG devices
GresIndex = NewType("GresIndex", int)  # SLURM_JOB_GPUS: position in slurmd's merged list
ProfileId = NewType("ProfileId", int)  # what `nvidia-smi mig -lgip` prints; not NVML's enum


class Placement(NamedTuple):
    """Where a GPU instance lies, in memory units: a GPU has 8, 4 or 12 of them."""

    start: int
    size: int


class MigSpec(NamedTuple):
    """What a slice is, made or not.

    `profile` is the GPU instance's ("3g.20gb"), `ci_profile` the compute instance's as NVML
    names the MIG device ("3g.20gb" when it has all of it, else "1c.3g.20gb").
    `placement` is None where it could not be read: NVML tells it to root only.
    """

    gpu_uuid: str
    profile: str
    placement: Placement | None
    ci_profile: str


class DeviceFile(NamedTuple):
    """A device node that a slice needs, as the driver wants it and as it was found.

    `path` is the machine's own (`/dev/...`), whatever --root is. `major` and `minor` are the
    driver's (None: it did not say), `mode` the permission bits found (None: no such node).
    `problems` names everything that is wrong, each with its remedy; empty when all is right.
    """

    path: str
    major: int | None
    minor: int | None
    mode: int | None
    problems: tuple[str, ...] = ()


class MigDevice(NamedTuple):
    """A slice that is there now: a spec and the names that the driver gave it."""

    spec: MigSpec
    mig_index: MigIndex
    uuid: str
    gi_id: GiId
    ci_id: CiId
    gi_minor: GiMinor
    ci_minor: CiMinor
    memory_mib: int  # of the GPU instance: compute instances of one GI share it
    sm_count: int  # of this compute instance
    gi_slices: int  # the digit before "g"
    ci_slices: int  # the digit before "c"; equal to gi_slices when the CI has all
    device_files: tuple[DeviceFile, DeviceFile, DeviceFile]  # parent, GI cap, CI cap

    @property
    def profile(self) -> str:
        """The MIG device's profile, as NVML names it."""
        return self.spec.ci_profile


class GpuInstance(NamedTuple):
    """A GPU instance on which no compute instance was made: no job can use it."""

    gi_id: GiId
    profile: str
    placement: Placement | None


class MigMode(NamedTuple):
    """Whether MIG is on now (`current`) and will be after the next reset (`pending`)."""

    current: bool
    pending: bool


class Cores(NamedTuple):
    """The cores next to a GPU, as Slurm counts cores: logical, socket by socket.

    `first_to_last` are inclusive ranges. `fill_sockets` says whether they are whole sockets,
    which Slurm 24.11.2 and later insist on (facts: "Socket Affinity" in gres.html).
    """

    first_to_last: tuple[tuple[int, int], ...]
    fill_sockets: bool


class Gpu(NamedTuple):
    """One physical GPU. `mig_mode` is None where the GPU cannot do MIG at all.

    `cores` is None where it is unknown or where the GPU is near every core of the node.
    `warnings` are things an administrator should know that do not make the GPU unusable.
    """

    gpu_index: GpuIndex
    gpu_minor: GpuMinor
    uuid: str
    name: str
    pci_bus_id: str
    memory_mib: int
    mig_mode: MigMode | None
    device_file: DeviceFile
    mig_devices: tuple[MigDevice, ...] = ()
    empty_gpu_instances: tuple[GpuInstance, ...] = ()
    cores: Cores | None = None
    warnings: tuple[str, ...] = ()


class Node(NamedTuple):
    """A machine as seen by NVML and the driver's files together."""

    name: str
    driver_version: str
    gpus: tuple[Gpu, ...]
    warnings: tuple[str, ...] = ()
