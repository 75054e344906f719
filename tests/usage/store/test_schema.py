"""The tables of each version of the schema stand for ever: other programs have SQL for them."""

from pathlib import Path

import pytest
from sqlalchemy import create_mock_engine
from sqlalchemy.engine import Dialect

from slurm_mig.usage.store.nouns import Job, Slice
from slurm_mig.usage.store.schema import NAMES, SCHEMA, metadata, records, slices

GOLDEN = Path(__file__).resolve().parents[2] / "golden/usage"


def ddl(url: str) -> str:
    """The statements that make the tables, sorted: indexes come in any order."""
    statements: list[str] = []
    dialects: list[Dialect] = []

    def take(statement: object, *_: object, **__: object) -> None:
        compiled = statement.compile(dialect=dialects[0])  # type: ignore[attr-defined]
        lines = (line.rstrip().replace("\t", "  ") for line in str(compiled).strip().splitlines())
        statements.append("\n".join(lines) + ";\n")

    engine = create_mock_engine(url, take)
    dialects.append(engine.dialect)
    metadata.create_all(engine, checkfirst=False)
    return "\n".join(sorted(statements))


@pytest.mark.parametrize("url", ["sqlite://", "postgresql+psycopg://"])
def test_a_change_of_the_tables_is_a_change_of_their_version(url: str) -> None:
    file = GOLDEN / f"schema-{SCHEMA}-{url.partition(':')[0].partition('+')[0]}.sql"
    if not file.exists():  # a new version: look at it, and commit it
        file.parent.mkdir(exist_ok=True)
        file.write_text(ddl(url))
        pytest.fail(f"{file} was not there and has been written")
    assert ddl(url) == file.read_text(), "count SCHEMA up"


def test_the_columns_are_the_fields_in_their_order() -> None:
    assert records.c.keys() == ["id", *(NAMES.get(name, name) for name in Job._fields)]
    assert slices.c.keys() == ["record", *(NAMES.get(name, name) for name in Slice._fields)]


def test_no_column_needs_quotes_in_sql() -> None:
    """`user` would be somebody else in PostgreSQL: who asks, not whose job it was."""
    for table in metadata.tables.values():
        assert not {"user", "start", "end", "order", "group"} & set(table.c.keys())
