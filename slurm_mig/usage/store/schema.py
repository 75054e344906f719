"""The tables. What has a name of its own in SQL (user, start, end) is called otherwise there.

The columns of records and slices are the fields of Job and Slice, in their order.
"""

from typing import Any, NamedTuple, get_args, get_type_hints

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)
from sqlalchemy.types import TypeEngine

from slurm_mig.usage.store.nouns import Job, Slice

SCHEMA = 1  # counted up when a table changes: databases of another number are refused
NAMES = {"user": "user_name", "start": "started", "end": "ended"}
_TYPES: dict[type, type[TypeEngine[Any]]] = {
    str: Text,
    int: BigInteger,
    float: Double,
    bool: Boolean,
}
# SQLite's own row number is the fastest key, and it is INTEGER to the letter.
_KEY = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()


def _columns(fields: type[NamedTuple]) -> list[Column[Any]]:
    columns = []
    for name, hint in get_type_hints(fields).items():
        kinds = [kind for kind in get_args(hint) or (hint,) if kind is not type(None)]
        may_be_null = type(None) in get_args(hint)
        column = Column(NAMES.get(name, name), _TYPES[kinds[0]](), nullable=may_be_null)
        columns.append(column)
    return columns


meta = Table(
    "usage_meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

records = Table(
    "usage_records",
    metadata,
    Column("id", _KEY, primary_key=True, autoincrement=False),
    *_columns(Job),
    Index("usage_records_by_record_id", "record_id", unique=True),
    Index("usage_records_by_ended", "ended"),
    Index("usage_records_by_job_id", "job_id"),
)

slices = Table(
    "usage_slices",
    metadata,
    Column("record", _KEY, ForeignKey(records.c.id), autoincrement=False),
    *_columns(Slice),
    PrimaryKeyConstraint("record", "position"),
    sqlite_with_rowid=False,
)

# The whole line, for whoever audits. Apart: sums read all records, and this is most of their bytes.
texts = Table(
    "usage_texts",
    metadata,
    Column("record", _KEY, ForeignKey(records.c.id), primary_key=True, autoincrement=False),
    Column("json", Text, nullable=False),
)

# How far each file was read. `digest` is of what stands before `position` (tail.py); `unkept`
# counts lines of it whose text is in no table.
sources = Table(
    "usage_sources",
    metadata,
    Column("source", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("lines", BigInteger, nullable=False),
    Column("unkept", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
)

# Lines that are no record; `digest` is the line's (sha256).
damaged = Table(
    "usage_damaged",
    metadata,
    Column("source", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", Text, primary_key=True),
    Column("line", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
    Column("sample", Text, nullable=False),
    Index("usage_damaged_by_digest", "digest"),
)
