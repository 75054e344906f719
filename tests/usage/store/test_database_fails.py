"""The database fails in the middle of a collect: it says so, and the next one goes on there."""

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm_mig.errors import StoreError
from slurm_mig.usage.store.collect import Collected, collect
from slurm_mig.usage.store.database import Store, opened
from slurm_mig.usage.store.query import rows
from tests.hooks.killing import dies
from tests.usage.store import postgres
from tests.usage.store.made import line

ROOT = Path("/")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Five files of two records each."""
    files = [tmp_path / f"2026-0{month}.jsonl" for month in range(1, 6)]
    for number, file in enumerate(files):
        file.write_bytes(line(2 * number) + line(2 * number + 1))
    return files


def jobs(store: Store) -> list[int]:
    return sorted(held.job.job_id for held in rows(store))


def test_a_server_that_ends_our_connection(server: postgres.Server, files: list[Path]) -> None:
    """As at a restart, or a failover."""
    url = server.new_database()
    with opened(ROOT, url, make=True) as store:

        def end_all(done: Collected) -> None:
            if done.files == 3:
                with server.connect() as connection:
                    connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
                    )

        with pytest.raises(StoreError) as caught:
            collect(store, files, watch=end_all)
        assert "terminating connection" in str(caught.value)
    with opened(ROOT, url) as store:
        assert jobs(store) == list(range(4))
        assert collect(store, files).new == 6
        assert jobs(store) == list(range(10))


@pytest.fixture
def small_files() -> Iterator[None]:
    """Writing beyond the limit of a file's size is an error, not a signal."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGXFSZ, before)


@pytest.mark.usefixtures("small_files")
def test_a_disk_that_is_full(memory: Path, files: list[Path]) -> None:
    url = f"sqlite:///{memory}/a.db"
    with opened(ROOT, url, make=True) as store:
        collect(store, files[:1])
    files[3].write_bytes(line(6, noise="x" * 300_000) + line(7))
    size = (memory / "a.db").stat().st_size

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100_000, resource.RLIM_INFINITY))
        with opened(ROOT, url) as store, pytest.raises(StoreError, match=r"full|I/O"):
            collect(store, files)

    assert dies(fill) is False
    with opened(ROOT, url) as store:
        assert jobs(store) == list(range(6))
        assert collect(store, files).new == 4
        assert jobs(store) == list(range(10))


def test_a_database_that_vanishes_is_told(memory: Path, files: list[Path]) -> None:
    with opened(ROOT, f"sqlite:///{memory}/a.db", make=True) as store:
        os.truncate(memory / "a.db", 0)
        with pytest.raises(StoreError, match="no such table"):
            collect(store, files)


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    url = f"postgresql://u@/db?host={tmp_path}"
    with pytest.raises(StoreError, match="connection"), opened(ROOT, url, make=True):
        pass


def test_a_role_that_may_not_write(server: postgres.Server, files: list[Path]) -> None:
    url = server.new_database()
    with opened(ROOT, url, make=True) as store:
        collect(store, files[:1])
    reader = f"{url}%20-cdefault_transaction_read_only%3Don"
    with opened(ROOT, reader) as store:
        assert jobs(store) == [0, 1]
        with pytest.raises(StoreError, match="read-only transaction"):
            collect(store, files)
    with opened(ROOT, url) as store:
        assert jobs(store) == [0, 1]
