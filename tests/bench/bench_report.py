"""How long a report of 100,000 records takes, from files and from a database.

`python -m tests.bench.bench_report`: 10,000 and 100,000 records of two slices, of 200 users on 50
nodes. Each run is a process of its own, so that its peak of memory is its own.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from statistics import median
from typing import NamedTuple

from tests.usage.report import made

SIZES = (10_000, 100_000)
RUNS = 3
PROFILES = tuple(profile for profile in made.MEMORY if profile.endswith(("10gb", "20gb", "40gb")))


class Answer(NamedTuple):
    """CPU seconds, peak memory in KiB, and how many groups and kinds of advice came out."""

    seconds: float
    peak_kib: int
    groups: int
    advice: int


def records(number: int) -> Iterator[bytes]:
    """Always the same ones."""
    random = Random(4242)
    for job_id in range(1, number + 1):
        slices = [_slice(random) for _ in range(2)]
        one = made.one_record(
            *slices,
            job_id=job_id,
            user=f"user{random.randrange(200)}",
            node=f"n{random.randrange(50)}",
            end=made.START + job_id,
            duration_s=random.expovariate(1 / 3600),
        )
        yield made.line(one) + b"\n"


def _slice(random: Random) -> made.Tree:
    profile = random.choice(PROFILES)
    peak = random.random() * made.MEMORY[profile]
    return made.one_slice(profile, made.sampled(peak, activity=made.activity(random.random() / 2)))


def measure(way: str, folder: Path) -> Answer:
    """A report by user, by this process."""
    from slurm_mig.usage.report.as_json import overview_json
    from slurm_mig.usage.report.files import read
    from slurm_mig.usage.report.overview import overview
    from slurm_mig.usage.report.stored import Stored
    from slurm_mig.usage.store.asking import Filters
    from slurm_mig.usage.store.database import opened

    start = time.process_time()
    if way == "files":
        found = overview(read([folder / "2025-11.jsonl"], Filters())[0], "user")
    else:
        with opened(Path("/"), f"sqlite:///{folder}/usage.db") as store:
            found = overview(Stored(store, Filters()), "user")
    json.dumps(overview_json(found, None, None, []))
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Answer(seconds, peak, len(found.groups), len(found.sizing))


def prepare(folder: Path, number: int) -> Path:
    """A file and a database of this many records."""
    from slurm_mig.usage.store.collect import collect
    from slurm_mig.usage.store.database import opened

    inside = folder / str(number)
    inside.mkdir()
    file = inside / "2025-11.jsonl"
    with file.open("wb") as out:
        out.writelines(records(number))
    with opened(Path("/"), f"sqlite:///{inside}/usage.db", make=True) as store:
        collect(store, [file])
    return inside


def run(way: str, folder: Path) -> Answer:
    """One measurement, in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.bench_report", way, str(folder)]
    return Answer(*json.loads(subprocess.check_output(command)))


def main() -> None:
    """Print a line for each way and size, and the growth from one size to the other."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
        return
    with tempfile.TemporaryDirectory() as name:
        small, large = (prepare(Path(name), number) for number in SIZES)
        for way in ("files", "database"):
            turns = [(run(way, small), run(way, large)) for _ in range(RUNS)]
            for at, number in enumerate(SIZES):
                answers = [turn[at] for turn in turns]
                print(
                    f"report of {number:>6} records from {way}:"
                    f" {median(one.seconds for one in answers):6.2f} s of CPU,"
                    f" {max(one.peak_kib for one in answers) / 1024:6.1f} MiB,"
                    f" {answers[0].groups} users, {answers[0].advice} kinds of advice"
                )
            growth = median(more.seconds / less.seconds for less, more in turns)
            print(f"growth per record: {growth * SIZES[0] / SIZES[1]:.2f} (1 is linear)")


if __name__ == "__main__":
    main()
