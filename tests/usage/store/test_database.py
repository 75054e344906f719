"""The database: found, made, refused, and told of without its password."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from slurm_mig.errors import Refused, StoreError
from slurm_mig.usage.store.database import Store, opened, reading, writing
from slurm_mig.usage.store.schema import SCHEMA, metadata

ROOT = Path("/")


def why(url: str | None, root: Path = ROOT, *, make: bool = False) -> str:
    with pytest.raises(StoreError) as caught, opened(root, url, make=make):
        pass
    return str(caught.value)


def execute(url: str, statement: str) -> None:
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_it_is_made_once_and_found_then(url: str) -> None:
    for make in (True, True, False):
        with opened(ROOT, url, make=make) as store, reading(store) as connection:
            found = connection.execute(text("SELECT value FROM usage_meta")).scalars().all()
            assert found == [str(SCHEMA)]


def test_where_nothing_was_collected(new_url: str, url: str) -> None:
    assert "slurm-mig usage collect" in why(url)


@pytest.mark.parametrize("other", [0, 2, 99])
def test_tables_of_another_version_are_refused(url: str, other: int) -> None:
    with opened(ROOT, url, make=True):
        pass
    execute(url, f"UPDATE usage_meta SET value = '{other}'")
    for make in (True, False):
        told = why(url, make=make)
        assert f"its tables are of version {other}, this slurm-mig knows {SCHEMA}" in told
        assert "new database" in told


def test_what_others_keep_there_is_left_alone(url: str) -> None:
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).touch()
    execute(url, "CREATE TABLE theirs (x INTEGER)")
    with opened(ROOT, url, make=True):
        pass
    execute(url, "SELECT * FROM theirs")
    assert all(name.startswith("usage_") for name in metadata.tables)


def test_a_failed_write_leaves_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), writing(store) as connection:
        connection.execute(text("INSERT INTO usage_meta VALUES ('a', 'b')"))
        raise ZeroDivisionError
    with reading(store) as connection:
        assert connection.execute(text("SELECT count(*) FROM usage_meta")).scalar() == 1


def test_another_that_does_not_let_go_is_not_waited_for_for_ever(url: str) -> None:
    with (
        opened(ROOT, url, make=True, busy_s=0.2) as store,
        writing(store),
        pytest.raises(StoreError, match=r"locked|lock timeout"),
        writing(store),
    ):
        pass
    with opened(ROOT, url, busy_s=0.2) as store, writing(store):
        pass  # it let go


def test_what_the_database_says_is_one_line(store: Store) -> None:
    with pytest.raises(StoreError, match="usage_none") as caught, reading(store) as connection:
        connection.execute(text("SELECT * FROM usage_none"))
    assert "\n" not in str(caught.value)


def test_the_file_is_roots_and_its_groups(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with opened(ROOT, f"sqlite:///{tmp_path}/a.db", make=True):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.db").stat().st_mode) == 0o640


def test_a_new_file_has_room_for_several_lines_on_a_page(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    with opened(ROOT, f"sqlite:///{file}", make=True):
        pass
    assert sqlite3.connect(file).execute("PRAGMA page_size").fetchone() == (16384,)


def test_a_file_of_other_pages_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    before = sqlite3.connect(file)
    before.execute("CREATE TABLE theirs (x INTEGER)")
    before.commit()
    before.close()
    for _ in range(2):
        with opened(ROOT, f"sqlite:///{file}", make=True) as store, writing(store) as connection:
            connection.execute(text("INSERT INTO theirs VALUES (1)"))
    assert sqlite3.connect(file).execute("PRAGMA page_size").fetchone() == (4096,)


def test_the_sites_database_lies_below_root(tmp_path: Path) -> None:
    with opened(tmp_path, make=True) as store:
        file = tmp_path / "var/lib/slurm-mig/usage.db"
        assert store.name == f"sqlite:///{file}"
    assert file.is_file()
    (tmp_path / "etc/slurm-mig").mkdir(parents=True)
    conf = tmp_path / "etc/slurm-mig/config.toml"
    conf.write_text('[usage]\ndatabase = "sqlite:////var/other.db"\n')
    assert f"{tmp_path}/var/other.db: there is no database" in why(None, tmp_path)
    conf.write_text('[usage]\ndatabase = "other.db"\n')
    with pytest.raises(Refused, match="write a URL"), opened(tmp_path):
        pass


def test_a_file_that_is_none_or_somewhere_else(tmp_path: Path) -> None:
    link, folder = tmp_path / "link", tmp_path / "folder"
    link.symlink_to(tmp_path / "elsewhere")
    folder.mkdir()
    for path in (link, folder):
        assert "no regular file" in why(f"sqlite:///{path}", make=True)
    assert "make its folder first" in why(f"sqlite:///{tmp_path}/none/a.db", make=True)
    rubbish = tmp_path / "rubbish"
    rubbish.write_bytes(b"no database at all\n" * 100)
    assert "file is not a database" in why(f"sqlite:///{rubbish}", make=True)


@pytest.mark.parametrize(
    "url", ["usage.db", "mysql://a@b/c", "sqlite:///usage.db", "sqlite:////a/?mode=memory", ""]
)
def test_a_url_that_is_none(url: str) -> None:
    assert why(url, make=True).startswith("--db: ")


@pytest.mark.parametrize(
    "url", ["postgresql://u:secret@/db?host=/none", "postgresql://u:secret@[/"]
)
def test_a_password_is_never_told(url: str) -> None:
    told = why(url, make=True)
    assert "secret" not in told
    assert told.startswith("postgresql+psycopg://u:***@")


def test_a_reader_may_only_read(tmp_path: Path) -> None:
    """A group that may read the file needs to write nothing beside it."""
    with opened(ROOT, f"sqlite:///{tmp_path}/a.db", make=True):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.db"]
    mode = sqlite3.connect(tmp_path / "a.db").execute("PRAGMA journal_mode").fetchone()
    assert mode == ("delete",)
