"""Many nodes: what slurmctld is asked, a node and a wave, against as many single reconfigures.

`python -m tests.bench.bench_fleet`. 64 nodes in memory in waves of 8, each with the real loop: the
calls of the port to slurmctld, and how often it had to read its files. Then 6 real slurmds (more
are too dear on one machine): the commands that were really run, and the time out of all.
"""

import contextlib
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.cluster import fleets as real
from tests.cluster import reconfiguring as on
from tests.cluster.cluster import Cluster
from tests.reconfigure.fleet.fleets import Fleet

NODES, AT_ONCE = 64, 8
SLURMDS, REAL_AT_ONCE = 6, 3
_LOG = "commands"
_COMMANDS = ("scontrol", "squeue", "sinfo", "scancel")


def main() -> None:
    """Print the counts, and the ratios to the baseline of the same run."""
    in_memory()
    for_real()


def in_memory() -> None:
    """The calls of 64 nodes, in waves of 8 and one by one."""
    counts = {}
    for at_once in (AT_ONCE, 1):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            fleet = Fleet(Path(folder), NODES, at_once)
            record = fleet.run()
            assert record.done
            counts[at_once] = Counter(fleet.slurm.commands)
    for at_once, count in counts.items():
        waves, reads = NODES // at_once, count["reconfigure"]
        total = count.total()
        print(
            f"{NODES} nodes in memory, {at_once} at a time: {waves} waves, {reads} reconfigures, "
            f"{total / NODES:.1f} calls a node, {total / waves:.0f} a wave"
        )
    most = ", ".join(f"{number} {what}" for what, number in counts[AT_ONCE].most_common(6))
    print(f"  of the first: {most}")
    ratio = counts[AT_ONCE].total() / counts[1].total()
    print(f"  ratio of all calls to one by one: {ratio:.2f}")


def for_real() -> None:
    """The commands and the time of real nodes: together, and each by itself on its node."""
    with tempfile.TemporaryDirectory() as folder:
        with real.up(Path(folder) / "c", SLURMDS, slurm="24.11") as cluster:
            names = cluster.names
            with _counted(cluster, f"{SLURMDS} slurmds, {REAL_AT_ONCE} at a time") as together:
                words = real.wish(f"n[1-{SLURMDS}]", "mixed", "--max-unavailable")
                done = real.run(cluster, [*words, str(REAL_AT_ONCE)])
                assert done.returncode == 0, done
            with _counted(cluster, f"{SLURMDS} slurmds, each by itself") as alone:
                for name in names:
                    one = [*real.command(name), "-f", on.FILE, "-c", "seven"]
                    done = cluster.exec(name, one, check=False, timeout_s=180)
                    assert done.returncode == 0, done
        commands = together["commands"] / alone["commands"]
        seconds = together["seconds"] / alone["seconds"]
        print(f"  ratio of the commands to each by itself: {commands:.2f}; of time: {seconds:.2f}")


@contextlib.contextmanager
def _counted(cluster: Cluster, what: str) -> Iterator[dict[str, float]]:
    """What was run meanwhile, printed when the block ends."""
    _count(cluster)
    log = cluster.folder / _LOG
    log.write_text("")
    reads, began = real.rereads(cluster), time.monotonic()
    found: dict[str, float] = {}
    yield found
    lines = log.read_text().splitlines()
    found.update(commands=len(lines), seconds=time.monotonic() - began)
    kinds = Counter(line.split()[0] for line in lines)
    told = ", ".join(f"{number} {name}" for name, number in kinds.most_common())
    print(
        f"{what}: {real.rereads(cluster) - reads} reconfigures, "
        f"{len(lines) / SLURMDS:.1f} commands a node ({told}), {found['seconds']:.1f} s"
    )


def _count(cluster: Cluster) -> None:
    """Have each Slurm command of the cluster's write a line before it runs."""
    folder = cluster.folder / "bin"
    for name in _COMMANDS:
        program, kept = folder / name, folder / f"{name}.real"
        if kept.exists():
            continue
        program.rename(kept)
        there = "/run/cluster"
        program.write_text(
            f'#!/bin/sh\necho "{name} $*" >>{there}/{_LOG}\nexec {there}/bin/{kept.name} "$@"\n'
        )
        program.chmod(0o755)


if __name__ == "__main__":
    main()
