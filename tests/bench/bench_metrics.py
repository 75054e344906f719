"""What a scrape of the metrics costs the node, by the number of slices that jobs hold.

`python -m tests.bench.bench_metrics`: medians of RUNS turns each, in processor time, against
prometheus_client's own work for as many lines made of nothing.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from tests.usage.metrics.moments import entry, exposition, on_h100, snapshot, write_map

RUNS = 25
SLICES = (1, 7, 56)


def main() -> None:
    """Print the medians and the ratios."""
    for count in SLICES:
        with tempfile.TemporaryDirectory() as folder:
            write_map(Path(folder), [entry(number, number) for number in range(count)])
            made = exposition(Path(folder))
            made.latest = snapshot(*[on_h100(number, 100 + number) for number in range(count)])
            lines = sum(not line.startswith(b"#") for line in made.text().splitlines())
            ours, bare = _took(made.text), _took(_bare(lines))
        print(
            f"{count} slices: {1000 * ours:.1f} ms for {lines} lines, "
            f"{ours / bare:.1f} x the library alone; every 15 s {ours / 15:.2%} of a core"
        )


def _bare(lines: int) -> Callable[[], bytes]:
    registry = CollectorRegistry()
    labels = [f"label{number}" for number in range(6)]
    gauge = Gauge("bare", "Nothing", labels, registry=registry)
    for line in range(lines):
        gauge.labels(*["some-value"] * 5, str(line)).set(line)
    return lambda: generate_latest(registry)


def _took(action: Callable[[], object]) -> float:
    seconds = []
    for _ in range(RUNS):
        begin = time.process_time()
        action()
        seconds.append(time.process_time() - begin)
    return median(seconds)


if __name__ == "__main__":
    main()
