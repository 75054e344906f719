"""Which cores lie next to a GPU, as Slurm counts cores.

NVML tells the machine's CPU numbers; gres.conf wants logical core ids, counted socket by
socket. Where the counting is not certain the answer is None: wrong `Cores=` send jobs to the
far socket, and since Slurm 24.11.2 drain the node.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from slurm_mig.files import under
from slurm_mig.model import Cores

CPUS = "/sys/devices/system/cpu"


class Core(NamedTuple):
    """One core: its online CPUs (hardware threads), its socket and its NUMA node."""

    cpus: frozenset[int]
    socket: int
    numa_node: int | None


class Topology(NamedTuple):
    """The machine's cores in the order of Slurm's logical ids: a core's id is its position.

    That order is hwloc's: sockets, and the cores of a socket, by lowest CPU number.
    """

    cores: tuple[Core, ...]


def near_cores(near: frozenset[int] | None, topology: Topology) -> Cores | None:
    """The cores of the CPUs `near` a GPU; None if not certain, or if they are all there are."""
    cores = topology.cores
    if not near or not near <= frozenset().union(*(core.cpus for core in cores)):
        return None
    chosen = [number for number, core in enumerate(cores) if core.cpus <= near]
    partly = any(core.cpus & near and not core.cpus <= near for core in cores)
    if partly or len(chosen) == len(cores):
        return None
    sockets = {cores[number].socket for number in chosen}
    fill_sockets = sum(core.socket in sockets for core in cores) == len(chosen)
    # Inside a socket hwloc counts NUMA node by NUMA node. Where CPU numbers alternate between
    # them our order is another one: that matters as soon as a socket is taken in part.
    if not fill_sockets and not _numa_in_order(cores):
        return None
    return Cores(tuple(_ranges(chosen)), fill_sockets)


def read_topology(root: Path) -> Topology | None:
    """None where /sys does not tell all of it, or its sockets differ in size."""
    online = _cpu_list(under(root, f"{CPUS}/online"))
    cores: dict[frozenset[int], Core] = {}
    for cpu in sorted(online):
        folder = under(root, f"{CPUS}/cpu{cpu}")
        threads = _cpu_list(folder / "topology/thread_siblings_list") & online
        socket = _cpu_list(folder / "topology/physical_package_id")
        if cpu not in threads or len(socket) != 1:
            return None
        cores.setdefault(threads, Core(threads, min(socket), _numa_node(folder)))
    return in_slurm_order(cores.values()) if cores else None


def in_slurm_order(cores: Iterable[Core]) -> Topology | None:
    """Slurm takes all sockets to have as many cores: None where they have not."""
    by_socket: dict[int, list[Core]] = {}
    for core in sorted(cores, key=lambda core: min(core.cpus)):
        by_socket.setdefault(core.socket, []).append(core)
    if len({len(socket) for socket in by_socket.values()}) > 1:
        return None
    return Topology(tuple(core for socket in by_socket.values() for core in socket))


def _numa_in_order(cores: Sequence[Core]) -> bool:
    runs = [key for key, _ in groupby((core.socket, core.numa_node) for core in cores)]
    return len(runs) == len(set(runs))


def _ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as inclusive ranges: 0, 1, 2, 5 -> (0, 2), (5, 5)."""
    for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        yield members[0], members[-1]


def _numa_node(cpu_folder: Path) -> int | None:
    names = [path.name for path in cpu_folder.glob("node[0-9]*")]
    return int(names[0].removeprefix("node")) if len(names) == 1 else None


def _cpu_list(path: Path) -> frozenset[int]:
    """A file such as "0-3,8": its numbers; none where it is missing or something else."""
    try:
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return frozenset()
    if not re.fullmatch(r"\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*", text):
        return frozenset()
    parts = (part.partition("-") for part in text.split(","))
    return frozenset(n for low, _, high in parts for n in range(int(low), int(high or low) + 1))
