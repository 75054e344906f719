"""Character majors that no other cluster on this machine has, for as long as a cluster is up.

All clusters' nodes show the same processes: with one major for all of them a hook would take a
process of another cluster, on the cap of the same number, for one on its own node.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.node import ClusterError
from tests.sim.tree import used_majors

_FIRST, _EACH, _SLOTS = 600, 8, 400  # far above what drivers are given: opening is ENXIO


@contextmanager
def own_majors() -> Iterator[list[int]]:
    """A few of them; they are given back when the block, or this process, ends."""
    used = used_majors(Path("/proc/devices").read_text())
    for slot in range(_SLOTS):
        mine = [_FIRST + slot * _EACH + number for number in range(_EACH)]
        with socket.socket(socket.AF_UNIX) as lock:
            if used.isdisjoint(mine) and _is_had(lock, slot):
                yield mine
                return
    raise ClusterError(f"{_SLOTS} clusters are up on this machine already")


def _is_had(lock: socket.socket, slot: int) -> bool:
    try:
        lock.bind(f"\0slurm-mig-test-majors-{slot}")  # no file: it goes with its process
    except OSError:
        return False
    return True
