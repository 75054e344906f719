"""Which slices this process may open: the device cgroup, asked by open(2)."""

import posix as os
from errno import EACCES, ENOENT, EPERM

from slurm_mig.hooks.slices import GresMap, Slice

# O_NONBLOCK: to wait for a device is not what we came for.
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_DENIED = (EPERM, EACCES, ENOENT)


def opened(root: str, the_map: GresMap) -> frozenset[int]:
    """The gres indices whose own device files all open, in this process's cgroup."""
    return frozenset(one.gres_index for one in the_map.slices if opens(root, one))


def opens(root: str, one: Slice) -> bool:
    """Whether all files that tell this slice from its neighbours can be opened.

    A MIG slice's parent is not tried: to open a GPU may set it up first, which takes seconds.
    """
    return all(_opens(f"{root}{path}") for path, _, _ in one.own_files)


def _opens(path: str) -> bool:
    try:
        os.close(os.open(path, _OPEN))
    except OSError as error:
        # The cgroup says EPERM. Whatever the driver says (ENXIO, EIO), it was asked.
        return error.errno not in _DENIED
    return True
