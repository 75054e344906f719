"""Whether the GPUs are still cut as the node's gres map has it. Pure.

Only GPUs that the map names count: one that was left out of gres.conf is none of Slurm's.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from slurm_mig.usage.metrics.sources import MapSlice
from slurm_mig.usage.monitor.snapshot import GpuLayout

Instance = tuple[int, int | None, int | None]  # GPU minor, GI id, CI id; None, None: a whole GPU


class Drift(NamedTuple):
    """Slices of the map that are not there, and slices that are there and not in the map.

    Another slice in a slice's place is in both.
    """

    gone: frozenset[Instance] = frozenset()
    new: frozenset[Instance] = frozenset()

    def __or__(self, other: "Drift") -> "Drift":
        return Drift(self.gone | other.gone, self.new | other.new)


def by_driver(the_map: Iterable[MapSlice], live: frozenset[Instance]) -> Drift:
    """Against what /proc shows: by number only, and GPUs as they count there."""
    told = frozenset((one.gpu_minor, one.gi_id, one.ci_id) for one in the_map)
    cut = {minor for minor, _, _ in live}
    uncut = {(minor, None, None) for minor, gi, _ in told if gi is None and minor not in cut}
    minors = {minor for minor, _, _ in told}
    here = frozenset(one for one in live if one[0] in minors) | uncut
    return Drift(told - here, here - told)


def by_nvml(the_map: Iterable[MapSlice], layout: Iterable[GpuLayout]) -> Drift:
    """Against what NVML told: by UUID too. Of a GPU that did not answer nothing is said."""
    told: dict[str, dict[Instance, str]] = {}
    for one in the_map:
        place = (one.gpu_minor, one.gi_id, one.ci_id)
        told.setdefault(one.gpu_uuid, {})[place] = one.mig_uuid or ""
    drift = Drift()
    for gpu in layout:
        if gpu.gpu_uuid in told:
            drift |= _of_gpu(told[gpu.gpu_uuid], gpu)
    return drift


def _of_gpu(told: Mapping[Instance, str], gpu: GpuLayout) -> Drift:
    minor = next(iter(told))[0]
    here: dict[Instance, str] = {(minor, gi, ci): uuid for gi, ci, uuid in gpu.instances}
    if not gpu.mig:
        here[minor, None, None] = ""
    gone = frozenset(place for place, uuid in told.items() if here.get(place) != uuid)
    new = frozenset(place for place, uuid in here.items() if told.get(place) != uuid)
    return Drift(gone, new)
