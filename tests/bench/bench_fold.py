"""How long, and in how much memory, an inventory of many nodes becomes host lists.

`python -m tests.bench.bench_fold`: 1,000 and 10,000 nodes of 8 GPUs in 20 layouts, from the JSON
files on. Each run is a process of its own, so that its peak of memory is its own.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from slurm_mig.gpu.present.inventory import to_json
from slurm_mig.model import Node
from tests.slurm.nodes import gpu, node

SIZES = (1_000, 10_000)
LAYOUTS = 20
RUNS = 9
SHAPES = (("1g.5gb",) * 7, ("3g.20gb", "3g.20gb"), ("1g.5gb",) * 4 + ("3g.20gb",))


def nodes(number: int) -> Iterator[Node]:
    """Nodes of 8 GPUs in LAYOUTS different layouts."""
    kinds = [
        node(*(gpu(*SHAPES[(kind + (at * kind) % 5) % 3], gpu_index=at) for at in range(8)))
        for kind in range(LAYOUTS)
    ]
    # Equal shapes can come out twice: the name of the first GPU tells every kind apart.
    for at, each in enumerate(kinds):
        first = each.gpus[0]._replace(name=f"NVIDIA A1{at:02}-SXM4-40GB")
        kinds[at] = each._replace(gpus=(first, *each.gpus[1:]))
    for at in range(number):
        yield kinds[at % LAYOUTS]._replace(name=f"n{at:05}")


class Answer(NamedTuple):
    """CPU seconds in all and of the fold alone, peak memory in KiB, and groups found."""

    seconds: float
    fold_seconds: float
    peak_kib: int
    groups: int


class Timed:
    """The nodes of an iterator, and the seconds that it took to come by them."""

    def __init__(self, nodes: Iterator[Node]) -> None:
        self.nodes = nodes
        self.seconds = 0.0

    def __iter__(self) -> Iterator[Node]:
        start = time.process_time()
        for each in self.nodes:
            self.seconds += time.process_time() - start
            yield each
            start = time.process_time()


def measure(folder: Path) -> Answer:
    """A folder of files, read and folded by this process."""
    from slurm_mig.generate.build import Request, for_inventory
    from slurm_mig.gpu.present.inventory_reader import read_nodes
    from tests.slurm.nodes import options

    start = time.process_time()
    reading = Timed(read_nodes(sorted(folder.iterdir())))
    made = for_inventory(reading, Request(options()))
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Answer(seconds, seconds - reading.seconds, peak, len(made.groups))


def prepare(folder: Path, number: int) -> Path:
    """An inventory of this many nodes, a file each."""
    inventory = folder / str(number)
    inventory.mkdir()
    for each in nodes(number):
        (inventory / f"{each.name}.json").write_text(json.dumps(to_json(each)))
    return inventory


def run(inventory: Path) -> Answer:
    """One measurement, in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.bench_fold", str(inventory)]
    return Answer(*json.loads(subprocess.check_output(command)))


def main() -> None:
    """Print a line a size, and the growth from one to the other.

    The sizes take turns, so that a busy hour of the machine meets both alike.
    """
    if len(sys.argv) > 1:
        print(json.dumps(measure(Path(sys.argv[1]))))
        return
    with tempfile.TemporaryDirectory() as name:
        small, large = (prepare(Path(name), number) for number in SIZES)
        turns = [(run(small), run(large)) for _ in range(RUNS)]
    for at, number in enumerate(SIZES):
        answers = [turn[at] for turn in turns]
        print(
            f"fold {number:>6} nodes: {median(a.seconds for a in answers):6.2f} s of CPU from JSON"
            f" files, {median(a.fold_seconds for a in answers):5.2f} s of it the fold,"
            f" {max(a.peak_kib for a in answers) / 1024:5.1f} MiB, {answers[0].groups} groups"
        )
    more = SIZES[1] / SIZES[0]
    in_all = median(large.seconds / small.seconds for small, large in turns) / more
    alone = median(large.fold_seconds / small.fold_seconds for small, large in turns) / more
    print(f"growth per node: {in_all:.2f} in all, {alone:.2f} of the fold (1 is linear)")


if __name__ == "__main__":
    main()
