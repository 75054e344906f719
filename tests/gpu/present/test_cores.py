"""From the machine's CPU numbers to Slurm's logical cores, or None where that is not certain."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.gpu.present.cores import Core, Topology, in_slurm_order, near_cores, read_topology
from slurm_mig.model import Cores
from tests.gpu.driver_tree import write
from tests.gpu.repeatable import REPEATABLE


def machine(*cores: tuple[Sequence[int], int, int]) -> Topology:
    """A topology of (CPUs, socket, NUMA node) of each core."""
    found = in_slurm_order(Core(frozenset(cpus), socket, numa) for cpus, socket, numa in cores)
    assert found is not None
    return found


# Two sockets of four cores with two threads each: 0-3, 8-11 in socket 0; 4-7, 12-15 in socket 1.
TWO_SOCKETS = machine(*(((core, core + 8), core // 4, core // 4) for core in range(8)))
# Sockets alternate with every CPU number, as some BIOSes count.
ALTERNATING = machine(*(((cpu,), cpu % 2, cpu % 2) for cpu in range(8)))
# One socket, two NUMA nodes, alternating: hwloc's order is 0 2 1 3, not ours.
MIXED_NUMA = machine(*(((cpu,), 0, cpu % 2) for cpu in range(4)), ((4,), 1, 2), ((5,), 1, 2),
                     ((6,), 1, 2), ((7,), 1, 2))  # fmt: skip
# One socket, two NUMA nodes, one after the other.
PLAIN_NUMA = machine(*(((cpu,), 0, cpu // 2) for cpu in range(4)))


@pytest.mark.parametrize(
    ("topology", "near", "cores"),
    [
        (TWO_SOCKETS, {0, 1, 2, 3, 8, 9, 10, 11}, Cores(((0, 3),), fill_sockets=True)),
        (TWO_SOCKETS, {4, 5, 6, 7, 12, 13, 14, 15}, Cores(((4, 7),), fill_sockets=True)),
        (TWO_SOCKETS, {0, 8, 2, 10}, Cores(((0, 0), (2, 2)), fill_sockets=False)),
        (ALTERNATING, {1, 3, 5, 7}, Cores(((4, 7),), fill_sockets=True)),
        (ALTERNATING, {1, 3}, Cores(((4, 5),), fill_sockets=False)),
        (PLAIN_NUMA, {2, 3}, Cores(((2, 3),), fill_sockets=False)),
        (MIXED_NUMA, {0, 1, 2, 3}, Cores(((0, 3),), fill_sockets=True)),
    ],
)
def test_the_cores_next_to_a_gpu(topology: Topology, near: set[int], cores: Cores) -> None:
    assert near_cores(frozenset(near), topology) == cores


@pytest.mark.parametrize(
    ("topology", "near"),
    [
        pytest.param(TWO_SOCKETS, None, id="NVML does not know"),
        pytest.param(TWO_SOCKETS, set(), id="no CPU is near"),
        pytest.param(TWO_SOCKETS, set(range(16)), id="all cores are near"),
        pytest.param(TWO_SOCKETS, {0, 8, 99}, id="a CPU that is not online"),
        pytest.param(TWO_SOCKETS, {0, 1, 8}, id="half a core"),
        pytest.param(MIXED_NUMA, {0, 2}, id="a part of a socket that hwloc orders otherwise"),
    ],
)
def test_what_is_not_certain_is_not_told(topology: Topology, near: set[int] | None) -> None:
    assert near_cores(None if near is None else frozenset(near), topology) is None


def test_sockets_of_different_size_have_no_logical_numbers() -> None:
    cores = [Core(frozenset({0}), 0, 0), Core(frozenset({1}), 0, 0), Core(frozenset({2}), 1, 0)]
    assert in_slurm_order(cores) is None


@REPEATABLE
@given(st.sets(st.integers(0, 7), min_size=1, max_size=7))
def test_ranges_hold_exactly_the_near_cores(numbers: set[int]) -> None:
    near = frozenset(cpu for number in numbers for cpu in TWO_SOCKETS.cores[number].cpus)
    found = near_cores(near, TWO_SOCKETS)
    assert found is not None
    spread = [n for first, last in found.first_to_last for n in range(first, last + 1)]
    assert spread == sorted(numbers)
    assert found.fill_sockets == (numbers in ({0, 1, 2, 3}, {4, 5, 6, 7}))


def sysfs(root: Path, cpus: dict[int, tuple[str, int, int]], online: str) -> Path:
    """Write /sys for CPUs as (thread siblings, socket, NUMA node)."""
    write(root, "/sys/devices/system/cpu/online", f"{online}\n")
    for cpu, (siblings, socket, numa) in cpus.items():
        folder = f"/sys/devices/system/cpu/cpu{cpu}"
        write(root, f"{folder}/topology/thread_siblings_list", f"{siblings}\n")
        write(root, f"{folder}/topology/physical_package_id", f"{socket}\n")
        (root / folder.lstrip("/") / f"node{numa}").symlink_to("../../node")
    return root


TWO_CORES = {0: ("0,2", 0, 0), 1: ("1,3", 1, 1), 2: ("0,2", 0, 0), 3: ("1,3", 1, 1)}


def test_sys_is_read(tmp_path: Path) -> None:
    assert read_topology(sysfs(tmp_path, TWO_CORES, "0-3")) == Topology(
        (Core(frozenset({0, 2}), 0, 0), Core(frozenset({1, 3}), 1, 1))
    )


def test_cpus_that_are_off_are_left_out(tmp_path: Path) -> None:
    topology = read_topology(sysfs(tmp_path, TWO_CORES, "0-1"))
    assert topology is not None
    assert [core.cpus for core in topology.cores] == [{0}, {1}]


def test_without_numa_nodes(tmp_path: Path) -> None:
    root = sysfs(tmp_path, {0: ("0", 0, 0)}, "0")
    (root / "sys/devices/system/cpu/cpu0/node0").unlink()
    assert read_topology(root) == Topology((Core(frozenset({0}), 0, None),))


def test_no_sys_below_root(tmp_path: Path) -> None:
    assert read_topology(tmp_path) is None


@pytest.mark.parametrize("online", ["", "0-", "all", "0--1", "0,,1", "-1", "٣", "3-1"])
def test_an_online_list_that_cannot_be_read(tmp_path: Path, online: str) -> None:
    assert read_topology(sysfs(tmp_path, TWO_CORES, online)) is None


@pytest.mark.parametrize("file", ["thread_siblings_list", "physical_package_id"])
@pytest.mark.parametrize("text", [None, "", "x", "7,8"])
def test_a_cpu_without_a_place(tmp_path: Path, file: str, text: str | None) -> None:
    path = sysfs(tmp_path, TWO_CORES, "0-3") / "sys/devices/system/cpu/cpu1/topology" / file
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    assert read_topology(tmp_path) is None


def test_this_machine_can_be_read() -> None:
    topology = read_topology(Path("/"))
    if topology is not None:  # a machine whose sockets differ has none
        assert near_cores(frozenset().union(*(c.cpus for c in topology.cores)), topology) is None
