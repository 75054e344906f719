"""Which slices this process may open: the device cgroup, asked by open(2)."""

from slurm_mig.hooks.slices import GresMap, Slice
from slurm_mig.system import opening


def opened(root: str, the_map: GresMap) -> frozenset[int]:
    """The gres indices whose own device files all open, in this process's cgroup."""
    return frozenset(one.gres_index for one in the_map.slices if opens(root, one))


def opens(root: str, one: Slice) -> bool:
    """Whether all files that tell this slice from its neighbours can be opened.

    A MIG slice's parent is not tried: to open a GPU may set it up first, which takes seconds.
    """
    return all(opening.opens(f"{root}{path}") for path, _, _ in one.own_files)
