"""Who is on the GPUs, as a plan needs to know it: places in use, and a line for each user. Pure.

Whoever looks (processes, open files, Slurm's jobs) hands it over in this form; a plan made
without looking says so.
"""

from collections.abc import Mapping
from typing import NamedTuple

from slurm_mig.gpu.partitioning import LiveGpu
from slurm_mig.model import Placement


class Occupied(NamedTuple):
    """What was seen on all GPUs, by their UUIDs.

    `instances`: place of a GPU instance -> who is on it ("process 812 of eva (python, Slurm job
    17)"); a place that is there with nobody is in use all the same. `gpus`: who has the GPU open
    at all, which blocks a change of MIG mode, a reset and the first GPU instance. `unseen`: what
    could not be looked at, a line each: then "nobody" may be wrong.
    """

    instances: Mapping[str, Mapping[Placement, tuple[str, ...]]] = {}
    gpus: Mapping[str, tuple[str, ...]] = {}
    unseen: tuple[str, ...] = ()

    def busy(self, gpu: LiveGpu) -> frozenset[Placement]:
        """The places on which something runs."""
        return frozenset(self.instances.get(gpu.info.uuid, ()))

    def on(self, gpu: LiveGpu, place: Placement) -> tuple[str, ...]:
        """Who is on the GPU instance there."""
        return self.instances.get(gpu.info.uuid, {}).get(place, ())

    def with_open(self, gpu: LiveGpu) -> tuple[str, ...]:
        """Who has the GPU open."""
        return self.gpus.get(gpu.info.uuid, ())
