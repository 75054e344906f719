"""A PostgreSQL server for tests: an unprivileged user's, on a socket in a temporary folder."""

import contextlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from tests.cluster import postgres

OWNER = "nobody"
_LIMIT_S = 60.0
# Who may come in, and as whom: nobody but root, over the socket.
_HBA = "local all all peer map=tests\n"
_IDENT = f"tests root {OWNER}\ntests {OWNER} {OWNER}\n"
_SETTINGS = ("fsync=off", "listen_addresses=''", "max_connections=40", "shared_buffers=64MB")


class Server:
    """A server that runs; every database that it makes is a test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0

    def new_database(self) -> str:
        """The URL of a database without tables: a schema, which is made sooner than a database."""
        self._count += 1
        name = f"test{self._count}"
        with self.connect() as connection:
            connection.execute(f"CREATE SCHEMA {name}".encode())
        options = f"host={self.folder}&options=-csearch_path%3D{name}"
        return f"postgresql://{OWNER}@/postgres?{options}"

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """To the server, for what is not the product's."""
        return psycopg.connect(
            host=str(self.folder), user=OWNER, dbname="postgres", autocommit=True
        )


@contextlib.contextmanager
def running(*settings: str) -> Iterator[Server]:
    """A server until the block ends, or this process does. Raises AssertionError.

    `settings` are lines of postgresql.conf beyond ours.
    """
    programs, owner = postgres.find(), pwd.getpwnam(OWNER)
    ids = (str(owner.pw_uid), str(owner.pw_gid))
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path must be short
    try:
        shutil.chown(folder, owner.pw_uid, owner.pw_gid)
        data = folder / "data"
        made = [f"--pgdata={data}", "--auth=peer", f"--username={OWNER}", "--no-sync"]
        made += ["--locale=C.UTF-8", "--encoding=UTF8"]
        with (folder / "log").open("w") as log:
            words = programs.command(*ids, folder, "initdb", *made)
            subprocess.run(words, cwd=folder, check=True, stdout=log, timeout=_LIMIT_S)
            (data / "pg_hba.conf").write_text(_HBA)
            (data / "pg_ident.conf").write_text(_IDENT)
            with (data / "postgresql.conf").open("a") as conf:
                lines = (*_SETTINGS, f"unix_socket_directories='{folder}'", *settings)
                conf.writelines(f"{line}\n" for line in lines)
            words = programs.command(*ids, folder, "postgres", "-D", str(data))
            process = subprocess.Popen(words, stderr=log, cwd=folder)
        try:
            _wait(process, folder)
            yield Server(folder)
        finally:
            process.send_signal(signal.SIGINT)  # its fast shutdown
            process.wait(_LIMIT_S)
    finally:
        shutil.rmtree(folder)


def _wait(process: subprocess.Popen[bytes], folder: Path) -> None:
    end = time.monotonic() + _LIMIT_S
    while True:
        try:
            Server(folder).connect().close()
            return
        except psycopg.OperationalError:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.05)
