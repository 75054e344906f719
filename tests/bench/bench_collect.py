"""How fast records come into a database, and how long reports wait for their sums.

`python -m tests.bench.bench_collect [RECORDS]`: a tenth of the records and then the rest (in all
1,000,000) into SQLite and into a PostgreSQL of its own (with fsync), a collect without anything
new, and the questions that reports ask over all of them. One slice a record, all of it sampled.
"""

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from slurm_mig.usage.report.overview import overview
from slurm_mig.usage.report.stored import Stored
from slurm_mig.usage.store.collect import collect
from slurm_mig.usage.store.database import Store, opened
from slurm_mig.usage.store.filters import Filters
from slurm_mig.usage.store.query import curves, rows
from slurm_mig.usage.store.totals import totals
from tests.usage.store import postgres
from tests.usage.store.made import record, slice_, usage

RECORDS = 1_000_000
PROFILES = ("1g.10gb", "2g.20gb", "3g.40gb", None)
NODES, USERS = 64, 300
SPAN_S = 365 * 86400


def write(file: Path, numbers: range) -> None:
    """Records of a year in the order of their ends, of NODES nodes and USERS users."""
    rng = random.Random(numbers.start)
    ends = iter(sorted(1.7e9 + rng.random() * SPAN_S for _ in numbers))
    with file.open("w") as out:
        for number in numbers:
            user, end = rng.randrange(USERS), next(ends)
            made = record(
                number,
                record_id=f"{rng.getrandbits(96):024x}",
                uid=1000 + user,
                user=f"user{user}",
                account=f"account{user % 20}",
                partition=f"part{number % 4}",
                node=f"n{number % NODES:02}",
                start=end - 3600,
                end=end,
                slices=[slice_(profile=PROFILES[number % 4], usage=usage(curve=curve(rng)))],
            )
            out.write(json.dumps(made, separators=(",", ":")) + "\n")


def curve(rng: random.Random) -> dict[str, object]:
    """Of a long job, as long as a record can have it, on average."""
    steps = range(36)
    return {
        "from_s": 0.412,
        "bucket_s": 160.0,
        "memory_peak_mib": [rng.randrange(40_000) for _ in steps],
        "sm_mean": [round(rng.random(), 2) for _ in steps],
    }


def timed(act: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def questions(store: Store) -> Iterator[tuple[str, Callable[[], object]]]:
    """What reports ask."""
    month = Filters(since=1.7e9 + SPAN_S - 30 * 86400)
    yield "all, by user", lambda: totals(store, by=["user"])
    yield "all, by user and profile", lambda: totals(store, by=["user", "profile"])
    yield "all, by day", lambda: totals(store, by=["day"])
    yield "the last 30 days, by account", lambda: totals(store, month, ["account"])
    yield "one user, by profile", lambda: totals(store, Filters(users=("user7",)), ["profile"])
    yield "the rows of one job", lambda: list(rows(store, Filters(job_ids=(4242,))))
    yield "the curves of one job", lambda: curves(store, Filters(job_ids=(4242,)))
    yield "the rows of one user", lambda: list(rows(store, Filters(users=("user7",))))
    yield "a whole report, all, by user", lambda: overview(Stored(store, Filters()), "user")
    yield "a whole report, all, by profile", lambda: overview(Stored(store, Filters()), "profile")
    yield "a whole report, 30 days, by user", lambda: overview(Stored(store, month), "user")


def measure(name: str, url: str, files: tuple[Path, Path], counts: tuple[int, int]) -> None:
    """Print what one database needs for all of it."""
    with opened(Path("/"), url, make=True) as store:
        first, rest = (timed(lambda file=file: collect(store, [file])) for file in files)  # type: ignore[misc]
        again = timed(lambda: collect(store, files))
        growth = (rest / counts[1]) / (first / counts[0])
        print(
            f"{name}: {counts[0] / first:,.0f} records/s of the first {counts[0]:,},"
            f" {counts[1] / rest:,.0f}/s of {counts[1]:,} more: {growth:.2f} times as long"
            f" each (1 is linear); {again:.2f} s with nothing new",
            flush=True,
        )
        for question, ask in questions(store):
            print(f"{name}: {timed(ask):6.2f} s  {question}", flush=True)


def main(records: int = RECORDS) -> None:
    """Print what both databases need."""
    counts = (records // 10, records - records // 10)
    with tempfile.TemporaryDirectory() as folder:
        files = (Path(folder, "2023-11.jsonl"), Path(folder, "2024-11.jsonl"))
        write(files[0], range(counts[0]))
        write(files[1], range(counts[0], records))
        size = sum(file.stat().st_size for file in files)
        print(f"{records:,} records, {size / 2**20:,.0f} MiB", flush=True)
        database = Path(folder, "usage.db")
        measure("SQLite", f"sqlite:///{database}", files, counts)
        print(f"SQLite: {database.stat().st_size / 2**20:,.0f} MiB")
        database.unlink()
        with postgres.running("fsync=on", "shared_buffers=256MB") as server:
            measure("PostgreSQL", server.new_database(), files, counts)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
