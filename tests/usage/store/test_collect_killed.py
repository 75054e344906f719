"""A collect that is killed anywhere, and several at once: every record exactly once."""

import multiprocessing
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from slurm_mig.usage.store.collect import Collected, collect, here
from slurm_mig.usage.store.database import Store, opened, reading
from slurm_mig.usage.store.insert import place_of
from slurm_mig.usage.store.query import rows
from slurm_mig.usage.store.schema import records, slices, texts
from tests.hooks.killing import deaths
from tests.usage.store.conftest import NewUrl
from tests.usage.store.made import line, slice_

# Where the database is written, and what comes before and after.
WRITERS = ("insert", "bulk", "database", "collect")
EACH = 10  # records of a file
ROOT = Path("/")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two files, with a damaged line each; some records of two slices."""
    files = []
    for number in (1, 2):
        file = tmp_path / f"2026-1{number}.jsonl"
        first = number * 1000
        good = [line(first + at, slices=[slice_()] * (1 + at % 2)) for at in range(EACH)]
        good.insert(7, b"rubbish\n")
        file.write_bytes(b"".join(good))
        files.append(file)
    return files


def must_be_whole(store: Store, files: list[Path], count: int = 2 * EACH) -> None:
    """That every record is there once, with its slices and its text, and nothing else is."""
    held = Counter(one.job.job_id for one in rows(store))
    assert len(held) == count
    assert all(number == 1 + job_id % 2 for job_id, number in held.items())
    with reading(store) as connection:
        sizes = [
            connection.execute(select(func.count()).select_from(table)).scalar()
            for table in (records, texts, slices)
        ]
    assert sizes == [count, count, count * 3 // 2]
    for file in files:
        assert place_of(store, here(file)).mark.position == file.stat().st_size


def run(url: str, files: list[Path]) -> Collected:
    with opened(ROOT, url, make=True) as store:
        return collect(store, files)


def test_killed_at_every_line_and_run_again(new_url: NewUrl, files: list[Path]) -> None:
    urls: list[str] = []

    def scene() -> Callable[[], object]:
        urls.append(new_url())
        return lambda: run(urls[-1], files)

    step = 19 if new_url().startswith("sqlite") else 61
    for at in deaths(scene, step=step, writers=WRITERS):
        done = run(urls[-1], files)
        with opened(ROOT, urls[-1]) as store:
            must_be_whole(store, files)
        assert done.new in (0, EACH, 2 * EACH), at  # a piece is there whole, or not at all
    assert len(urls) > 10


def test_killed_at_every_line_where_much_was_known(new_url: NewUrl, files: list[Path]) -> None:
    """The second month's file comes while the first one's is known; a copy of it was replaced."""
    url = new_url()
    run(url, files[:1])
    files[0].write_bytes(line(1, slices=[slice_()] * 2) + files[0].read_bytes())
    for _ in deaths(lambda: lambda: run(url, files), step=31, writers=WRITERS):
        pass
    run(url, files)
    with opened(ROOT, url) as store:
        must_be_whole_with_one(store, files)


def must_be_whole_with_one(store: Store, files: list[Path]) -> None:
    held = Counter(one.job.job_id for one in rows(store))
    assert len(held) == 2 * EACH + 1
    assert all(number == 1 + job_id % 2 for job_id, number in held.items())


def test_several_at_once(new_url: NewUrl, files: list[Path]) -> None:
    url = new_url()
    with multiprocessing.get_context("fork").Pool(3) as pool:
        done = pool.starmap(run, [(url, files)] * 3)
    assert sum(one.new for one in done) == 2 * EACH
    with opened(ROOT, url) as store:
        must_be_whole(store, files)


def test_killed_at_any_instant_while_others_do_the_same(new_url: NewUrl, tmp_path: Path) -> None:
    """From outside, on files of many pieces."""
    files = [tmp_path / f"2026-0{month}.jsonl" for month in (1, 2)]
    for number, file in enumerate(files):
        first = number * 10_000
        lines = (line(first + at, slices=[slice_()] * (1 + at % 2)) for at in range(3000))
        file.write_bytes(b"".join(lines))
    url, rng = new_url(), random.Random(7)
    fork = multiprocessing.get_context("fork")
    for _ in range(4):
        both = [fork.Process(target=run, args=(url, files)) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join(rng.random() / 3)  # any instant will do
            one.kill()
            one.join()
    run(url, files)
    with opened(ROOT, url) as store:
        must_be_whole(store, files, 6000)
