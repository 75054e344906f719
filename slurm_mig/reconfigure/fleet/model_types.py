"""How slurmctld calls the GPUs of each known model, and their slices; and what that tells.

The table of models is read once; else pure.
"""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from slurm_mig.gpu.config import offline
from slurm_mig.gpu.partitioning import GiProfile, LiveGpu, WantedGi, WantedGpu
from slurm_mig.gpu.planning.plan import GpuPlan, plan
from slurm_mig.gpu.present.discover import bare
from slurm_mig.gpu.profile import gi_profile, parse
from slurm_mig.model import Node
from slurm_mig.reconfigure import paper
from slurm_mig.reconfigure.world import Types
from slurm_mig.slurm.records.gres import GresOptions, node_gres
from slurm_mig.slurm.records.types import gpu_type, short_gpu_type

WHOLE = ""  # instead of a profile: a GPU whose MIG is off


class Model(NamedTuple):
    """A model of the table, by its key there."""

    key: str
    name: str

    def after(self, made: GpuPlan, options: GresOptions) -> Types:
        """What Slurm will call all that one GPU has after this plan."""
        there = paper.after(Node("", "", (bare(made.gpu.info, paper.NO_FILE),)), [made])
        return dict(node_gres(there, options).types)

    def gpus(self, has: Types, options: GresOptions) -> tuple[int, bool]:
        """How many GPUs these lie on at least, and whether it is that many exactly."""
        names = types_of(options)[self]
        whole = sum(count for kind, count in has.items() if names[kind] == WHOLE)
        slices = {kind: count for kind, count in has.items() if names[kind] != WHOLE}
        if not slices:
            return whole, True
        by_name = {each.profile: each for each in offline.gpu(self.key).profiles}
        parts = [(by_name[gi_profile(names[kind])], names[kind], n) for kind, n in slices.items()]
        # Before, "1c." is left out: it may be the smallest part of its GPU instance.
        tells_parts = options.version.names_slices_as_nvml
        return whole + _least(parts, offline.gpu(self.key), tells_parts=tells_parts), False


@cache
def types_of(options: GresOptions) -> Mapping[Model, Mapping[str, str]]:
    """By model which type stands for which profile."""
    made = {key: offline.gpu(key) for key in tuple(offline.keys())}
    return {Model(key, gpu.info.name): _types(gpu, options) for key, gpu in made.items()}


def shape(types: Types, names: Mapping[str, str]) -> str:
    """Slices, as people write them: "2x1g.10gb + 3g.40gb"."""
    found = ((names[kind] or "GPU without MIG", count) for kind, count in types.items())
    return " + ".join(f"{count}x{name}" if count > 1 else name for name, count in found) or "none"


def _types(gpu: LiveGpu, options: GresOptions) -> Mapping[str, str]:
    whole = bare(gpu.info, paper.NO_FILE)
    found = {gpu_type(whole): WHOLE, short_gpu_type(whole): WHOLE}
    for profile in gpu.profiles:
        for device in _devices(profile):
            wanted = WantedGpu(True, (WantedGi(profile.profile, cis=(device,)),))
            made = plan(gpu, wanted)
            for kind in Model("", "").after(made, options):
                found.setdefault(kind, device)
    return found


def _devices(profile: GiProfile) -> list[str]:
    """The compute instances that a GPU instance of this profile may have, the whole one first."""
    name = parse(profile.profile)
    parts = [name._replace(ci_slices=count) for count in range(name.gi_slices, 0, -1)]
    return [str(part) for part in parts if part.ci_slices in (name.gi_slices, 4, 3, 2, 1)]


def _least(parts: list[tuple[GiProfile, str, int]], gpu: LiveGpu, *, tells_parts: bool) -> int:
    """No fewer GPUs can hold them: by each profile's own limit, by slices and by memory units."""
    units = max(one.start + one.size for each in gpu.profiles for one in each.placements)
    slices = max(each.slices for each in gpu.profiles)
    bounds = [1]
    all_slices = all_units = 0
    for profile, device, count in parts:
        name = parse(device)
        needed = _up(count * (name.ci_slices if tells_parts else 1), name.gi_slices)
        bounds.append(_up(needed, profile.max_count))
        all_slices += needed * profile.slices
        all_units += needed * profile.placements[0].size
    return max(*bounds, _up(all_slices, slices), _up(all_units, units))


def _up(number: int, by: int) -> int:
    return -(-number // by)
