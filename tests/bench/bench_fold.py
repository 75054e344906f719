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

from slurm_mig.gpu.inventory import to_json
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


def measure(folder: Path) -> tuple[float, float, int, int]:
    """CPU seconds in all and of the fold alone, peak KiB and groups, over a folder of files."""
    from slurm_mig.generate.build import Request, for_inventory
    from slurm_mig.gpu.inventory_reader import read_nodes
    from tests.slurm.nodes import options

    start = time.process_time()
    reading = Timed(read_nodes(sorted(folder.iterdir())))
    made = for_inventory(reading, Request(options()))
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return seconds, seconds - reading.seconds, peak, len(made.groups)


def run(number: int) -> tuple[float, float, int, int]:
    """The median run over an inventory of this many nodes."""
    with tempfile.TemporaryDirectory() as name:
        for each in nodes(number):
            Path(name, f"{each.name}.json").write_text(json.dumps(to_json(each)))
        command = [sys.executable, "-m", "tests.bench.bench_fold", name]
        answers = [json.loads(subprocess.check_output(command)) for _ in range(RUNS)]
    seconds, alone = (median(answer[which] for answer in answers) for which in (0, 1))
    return seconds, alone, max(answer[2] for answer in answers), answers[0][3]


def main() -> None:
    """Print a line a size, and the growth from one to the other."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(Path(sys.argv[1]))))
        return
    results = [run(number) for number in SIZES]
    for number, (seconds, alone, peak, groups) in zip(SIZES, results, strict=True):
        print(
            f"fold {number:>6} nodes: {seconds:6.2f} s of CPU from JSON files, {alone:5.2f} s of it"
            f" the fold, {peak / 1024:5.1f} MiB, {groups} groups"
        )
    for which, what in enumerate(("in all", "of the fold")):
        growth = results[1][which] / results[0][which] / (SIZES[1] / SIZES[0])
        print(f"growth per node from {SIZES[0]} to {SIZES[1]} {what}: {growth:.2f} (1 is linear)")


if __name__ == "__main__":
    main()
