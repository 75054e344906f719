"""Fixtures: the same tests on SQLite and on a real PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slurm_mig.usage.store.database import Store, opened
from tests.usage.store import postgres

NewUrl = Callable[[], str]


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    """A PostgreSQL for all tests of this process."""
    with postgres.running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, memory: Path) -> NewUrl:
    """`new_url()`: the URL of a database that is not there yet, or is empty."""
    if request.param == "postgresql":
        started: postgres.Server = request.getfixturevalue("server")
        return started.new_database
    count = iter(range(1000))
    return lambda: f"sqlite:///{memory}/{next(count)}.db"


@pytest.fixture
def url(new_url: NewUrl) -> str:
    """One of them."""
    return new_url()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An empty database."""
    with opened(Path("/"), url, make=True) as store:
        yield store
