"""Who is in the way: the processes that have a GPU, or an instance of it. Pure.

"Nobody" and "could not look" are two answers.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from slurm_mig.gpu.partitioning import LiveGi, LiveGpu
from slurm_mig.gpu.planning.occupied import Occupied
from slurm_mig.model import CiId, GiId, Placement


class Holder(NamedTuple):
    """A process that has a GPU. With `start` (clock ticks since boot) `pid` is nobody else's.

    gi_id None: it has the GPU open, and no instance of it that we know of. `start` and `uid` are
    None where NVML lists it and /proc does not. `job` is Slurm's job id (or SLUID), `service` the
    machine's systemd unit. `command` is one short line that moves no cursor.
    """

    pid: int
    start: int | None
    uid: int | None
    user: str
    command: str
    job: str | None
    service: str | None
    gpu_uuid: str
    gi_id: GiId | None = None
    ci_id: CiId | None = None

    def __str__(self) -> str:
        job = "" if self.job is None else f", Slurm job {self.job}"
        service = "" if self.service is None else f", {self.service}"
        return f"process {self.pid} of {self.user} ({self.command}{job}{service})"


class Sight(NamedTuple):
    """Who was seen, and what could not be looked at, each with what to do about it."""

    holders: tuple[Holder, ...] = ()
    unseen: tuple[str, ...] = ()

    def without(self, services: Collection[str]) -> "Sight":
        """The same, as if these services did not run."""
        left = (one for one in self.holders if one.service is None or one.service not in services)
        return self._replace(holders=tuple(left))

    def on(self, gpu: LiveGpu) -> tuple[Holder, ...]:
        """Those that have this GPU, or anything on it."""
        return tuple(one for one in self.holders if one.gpu_uuid == gpu.info.uuid)

    def on_instance(self, gpu: LiveGpu, gi: LiveGi) -> tuple[Holder, ...]:
        """Those that are on this GPU instance, and jobs of which nobody can tell where they are.

        Who only has the GPU open does not count, unless it runs in a job: the job has some
        instance, and nothing says that it is not this one.
        """
        return tuple(
            one
            for one in self.on(gpu)
            if one.gi_id == gi.gi_id or (one.gi_id is None and one.job is not None)
        )

    def busy(self, gpu: LiveGpu) -> frozenset[Placement]:
        """Where on this GPU something runs."""
        return frozenset(gi.placement for gi in gpu.instances if self.on_instance(gpu, gi))


def occupied(sight: Sight, gpus: Sequence[LiveGpu]) -> Occupied:
    """The same as a plan shows it."""
    return Occupied(
        instances={
            gpu.info.uuid: {
                gi.placement: tuple(map(str, users))
                for gi in gpu.instances
                if (users := sight.on_instance(gpu, gi))
            }
            for gpu in gpus
        },
        gpus={gpu.info.uuid: tuple(map(str, sight.on(gpu))) for gpu in gpus},
        unseen=sight.unseen,
    )
