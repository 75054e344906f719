"""What AutoDetect=nvml makes of our lines: in which order, and under which types.

Source: Slurm's gres/gpu plugin (22.05.8, 24.11.5, 26.05.3): it sorts the merged list by device
files as numbers, then by each record's own place in its Links, records without Links last.
"""

from collections import Counter
from collections.abc import Iterable

from slurm_mig.model import Gpu, MigDevice
from slurm_mig.slurm.version import SlurmVersion

Key = tuple[int, ...]


def gpu_key(gpu: Gpu, version: SlurmVersion) -> Key:
    """The place of a whole GPU in the merged list."""
    if version.gives_slices_links:
        return (gpu.gpu_index, gpu.gpu_minor)
    return (0, gpu.gpu_index)


def slice_key(gpu: Gpu, device: MigDevice, version: SlurmVersion) -> Key:
    """The place of a slice in the merged list.

    Before 23.02.7 Slurm gives a slice Links among its GPU's slices only, so that the first
    slice of every GPU comes before the second of any.
    """
    files = (gpu.gpu_minor, device.gi_minor, device.ci_minor)
    first = device.mig_index if version.gives_slices_links else 1
    return (first, *files)


def mistaken_types(detected_and_wanted: Iterable[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """The devices that Slurm would give another type than wanted: (detected, wanted, given).

    Slurm goes through the detected types, longest first, and gives each device the first
    configured type, longest first, that is a part of the detected one and not used up.
    """
    pairs = Counter(detected_and_wanted)
    left = Counter[str]()
    for (_, wanted), count in pairs.items():
        left[wanted] += count
    mistaken = []
    for (detected, wanted), count in sorted(pairs.items(), key=lambda item: _longest(item[0][0])):
        for given in sorted(left, key=_longest):
            if given not in detected:
                continue
            taken = min(count, left[given])
            left[given] -= taken
            count -= taken
            if taken and given != wanted:
                mistaken.append((detected, wanted, given))
    return mistaken


def _longest(name: str) -> tuple[int, str]:
    return (-len(name), name)
