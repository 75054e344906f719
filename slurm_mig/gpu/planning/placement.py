"""What fits on a GPU, and where: solved exactly, before anything is touched. Pure."""

from collections.abc import Sequence

from slurm_mig.gpu.partitioning import GiProfile, WantedGi
from slurm_mig.gpu.planning.fitting import Kept, places
from slurm_mig.gpu.planning.impossible import Impossible, Reason, Why, explain
from slurm_mig.model import Placement

__all__ = ["Impossible", "Reason", "Why", "solve"]


def solve(
    profiles: Sequence[GiProfile], kept: Sequence[Kept], wanted: Sequence[WantedGi]
) -> tuple[Placement, ...] | Impossible:
    """Places for all that is wanted, in its order, that overlap neither each other nor `kept`.

    `kept` are the profiles and places of the instances that stay where they are. Preferred is
    the solution that leaves the most placements of all profiles free, as NVIDIA's driver seems
    to do (a single 1g comes to the far end of an A100, a 3g to its upper half); of equal ones
    that with the larger profiles lowest. The same question has the same answer always.
    """
    found = places(profiles, kept, wanted)
    return explain(profiles, kept, wanted) if found is None else found
