"""The database: found, made, checked for its version, and locked for those who write.

SQLite keeps a rollback journal, not a write-ahead log: a group that may only read the file can
read it so.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, Engine, create_engine, event, func, inspect, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from slurm_mig.errors import HookError, StoreError
from slurm_mig.files import under
from slurm_mig.system import rootfiles
from slurm_mig.system.printable import printable
from slurm_mig.usage.settings import database_problem, load
from slurm_mig.usage.store.schema import SCHEMA, meta, metadata

_LOCK = 0x536C4D69  # PostgreSQL's advisory lock of those who write our tables
_BUSY_S = 60.0
# A server that is gone without a word is noticed within about as long.
_ALIVE = {
    "connect_timeout": 30,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
_HOME = "/var/lib/slurm-mig"


class Store(NamedTuple):
    """An open database; `name` is its URL without a password, for messages.

    `busy_s` bounds the wait for others who write.
    """

    engine: Engine
    name: str
    busy_s: float = _BUSY_S

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file, and not a server's."""
        return self.engine.dialect.name == "sqlite"


@contextmanager
def opened(
    root: Path, url: str | None = None, *, make: bool = False, busy_s: float = _BUSY_S
) -> Iterator[Store]:
    """The database of `url`, or the site's below `root`, until the block ends.

    Where there is none yet it is made, with `make`. Raises StoreError, or Refused for the
    site's settings.
    """
    address = _address(root, url)
    name = address.render_as_string(hide_password=True)
    if address.get_backend_name() == "sqlite":
        _look_at_file(root, address, make=make)
    store = Store(_engine(address, busy_s), name, busy_s)
    try:
        _check_schema(store, make=make)
        yield store
    finally:
        store.engine.dispose()


@contextmanager
def reading(store: Store) -> Iterator[Connection]:
    """One view of the database, in which nothing moves. Raises StoreError."""
    with _telling(store), store.engine.connect() as connection, connection.begin():
        if not store.is_sqlite:  # to compile a long question takes longer than to answer it
            connection.execute(select(func.set_config("jit", "off", True)))
        yield connection


@contextmanager
def writing(store: Store) -> Iterator[Connection]:
    """One transaction, the only one that writes until the block ends; all of it or none.

    Raises StoreError.
    """
    with _telling(store), store.engine.connect() as plain:
        connection = plain.execution_options(slurm_mig_writes=True)
        with connection.begin():
            if not store.is_sqlite:
                wait = f"{store.busy_s * 1000:.0f}"
                connection.execute(select(func.set_config("lock_timeout", wait, True)))
                connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            yield connection


def _address(root: Path, url: str | None) -> URL:
    text = load(root).database if url is None else url
    why = database_problem(text)
    if why is not None:
        raise StoreError(f"--db: {why}")
    try:
        address = make_url(text)
    except (ArgumentError, ValueError):
        raise StoreError("--db: no URL of a database") from None
    if address.get_backend_name() == "postgresql":
        return address.set(drivername="postgresql+psycopg")
    # What the site's settings name is the machine's, as all under /var.
    return address if url is not None else address.set(database=str(_below(root, address)))


def _below(root: Path, address: URL) -> Path:
    return under(root, address.database or "")


def _look_at_file(root: Path, address: URL, *, make: bool) -> None:
    """That the file is one of ours to use; with `make`, that there is one, for root's group too."""
    path = Path(address.database or "")
    try:
        if make and not os.path.lexists(path):
            _make_file(root, path)
        if not stat.S_ISREG(path.lstat().st_mode):
            raise StoreError(f"{path}: no regular file (a link is not followed)")
    except FileNotFoundError:
        hint = "make its folder first" if make else "`slurm-mig usage collect` makes it"
        raise StoreError(f"{path}: there is no database: {hint}") from None
    except (OSError, HookError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise StoreError(f"{path}: {why}") from None


def _make_file(root: Path, path: Path) -> None:
    if path.parent == under(root, _HOME):
        os.close(rootfiles.open_folder(str(root), _HOME, make=0o750))
    with suppress(FileExistsError):  # another collect was faster
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        os.fchmod(handle, 0o640)
        os.close(handle)


def _engine(address: URL, busy_s: float) -> Engine:
    try:
        if address.get_backend_name() != "sqlite":
            return create_engine(address, connect_args=_ALIVE)
        engine = create_engine(address, poolclass=NullPool, connect_args={"timeout": busy_s})
    except (ImportError, NoSuchModuleError):
        raise StoreError("for PostgreSQL: pip install 'slurm-mig[postgresql]'") from None
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: object, _: object) -> None:
    # Else the module sqlite3 begins transactions when it thinks fit.
    connection.isolation_level = None  # type: ignore[attr-defined]
    # Of a new file only. Of the usual 4 KiB a record's line, of some 2 KiB, would waste half.
    connection.execute("PRAGMA page_size = 16384")  # type: ignore[attr-defined]
    connection.execute("PRAGMA foreign_keys = ON")  # type: ignore[attr-defined]
    connection.execute("PRAGMA cache_size = -65536")  # type: ignore[attr-defined]  # KiB


def _on_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("slurm_mig_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _check_schema(store: Store, *, make: bool) -> None:
    with reading(store) as connection:
        found = _schema_of(connection)
    if found is None and make:
        with writing(store) as connection:
            found = _schema_of(connection)  # another may have made it meanwhile
            if found is None:
                metadata.create_all(connection)
                connection.execute(meta.insert(), {"name": "schema", "value": str(SCHEMA)})
                return
    if found is None:
        raise StoreError(f"{store.name}: nothing was collected: run `slurm-mig usage collect`")
    if found != str(SCHEMA):
        raise StoreError(
            f"{store.name}: its tables are of version {printable(found)}, this slurm-mig knows"
            f" {SCHEMA}: use the slurm-mig that made them, or collect into a new database"
        )


def _schema_of(connection: Connection) -> str | None:
    if not inspect(connection).has_table(meta.name):
        return None
    found = connection.execute(select(meta.c.value).where(meta.c.name == "schema")).scalar()
    return None if found is None else str(found)


@contextmanager
def _telling(store: Store) -> Iterator[None]:
    """What the database says against us, in one line."""
    try:
        yield
    except (SQLAlchemyError, store.engine.dialect.loaded_dbapi.Error) as error:
        why = getattr(error, "orig", None) or error
        raise StoreError(f"{store.name}: {printable(str(why))}") from error
