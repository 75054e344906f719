"""A piece of a file into the database: its records and how far the file was read, or neither."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, func, select

from slurm_mig.usage.store.batch import Bad, Batch
from slurm_mig.usage.store.database import Store, reading, writing
from slurm_mig.usage.store.schema import damaged, records, slices, sources, texts
from slurm_mig.usage.store.tail import START, Mark

_ASK = 500  # record ids in one question


class Place(NamedTuple):
    """How far a source was read: its mark, and how many lines stand before that."""

    mark: Mark = START
    lines: int = 0


class Added(NamedTuple):
    """What came of one piece: new records, and those that were there.

    `differing`: of these, ids whose record there has another text. The first one stays.
    """

    new: int
    known: int
    differing: tuple[str, ...]


def places(store: Store) -> Mapping[str, Place]:
    """How far each source was read; those that never were are missing. Raises StoreError."""
    with reading(store) as connection:
        return dict(map(_place, connection.execute(select(sources)).all()))


def place_of(store: Store, source: str) -> Place:
    """How far one source was read. Raises StoreError."""
    with reading(store) as connection:
        return _current(connection, source)


def add(store: Store, source: str, before: Place, after: Place, batch: Batch) -> Added | None:
    """Store a piece that lies between two places of a source.

    None, and nothing is stored, where the source is not at `before` any more: another collect
    was faster. Raises StoreError; then nothing is stored either.
    """
    with writing(store) as connection:
        if _current(connection, source) != before:
            return None
        added = _add_records(connection, batch)
        _add_damaged(connection, source, after.lines - batch.lines, batch.bad)
        connection.execute(sources.delete().where(sources.c.source == source))
        row = (source, after.mark.position, after.lines, after.mark.digest)
        _insert(connection, sources, [row])
        return added


def _current(connection: Connection, source: str) -> Place:
    row = connection.execute(select(sources).where(sources.c.source == source)).first()
    return Place() if row is None else _place(row)[1]


def _place(row: Sequence[Any]) -> tuple[str, Place]:
    source, position, lines, digest = row
    return source, Place(Mark(position, digest), lines)


def _add_records(connection: Connection, batch: Batch) -> Added:
    """Those that are not there yet. Nobody else writes meanwhile, so ids can be counted on."""
    fresh = {parsed.job.record_id: (parsed, text) for parsed, text in reversed(batch.records)}
    there = _texts_of(connection, list(fresh))
    given = [(parsed.job.record_id, text) for parsed, text in batch.records]
    first = {key: there.get(key, fresh[key][1]) for key in fresh}
    differing = tuple(dict.fromkeys(key for key, text in given if first[key] != text))
    new = [one for key, one in reversed(fresh.items()) if key not in there]
    start = (connection.execute(select(func.max(records.c.id))).scalar() or 0) + 1
    numbered = list(enumerate(new, start))
    _insert(connection, records, [(number, *one.job) for number, (one, _) in numbered])
    _insert(
        connection,
        slices,
        [(number, *part) for number, (one, _) in numbered for part in one.slices],
    )
    _insert(connection, texts, [(number, text) for number, (_, text) in numbered])
    return Added(len(new), len(given) - len(new), differing)


def _texts_of(connection: Connection, ids: list[str]) -> dict[str, str]:
    """The lines of those records that are there."""
    found: dict[str, str] = {}
    joined = records.join(texts, texts.c.record == records.c.id)
    for at in range(0, len(ids), _ASK):
        asked = select(records.c.record_id, texts.c.json).select_from(joined)
        wanted = records.c.record_id.in_(ids[at : at + _ASK])
        found.update(map(tuple, connection.execute(asked.where(wanted)).all()))
    return found


def _add_damaged(connection: Connection, source: str, before: int, bad: Sequence[Bad]) -> None:
    """Those that are not there: a file that is read again has them again."""
    if not bad:
        return
    rows = [(source, b.position, b.digest, before + b.line, b.why, b.sample) for b in bad]
    asked = select(damaged.c.position, damaged.c.digest).where(
        damaged.c.source == source,
        damaged.c.position.between(bad[0].position, bad[-1].position),
    )
    there = set(map(tuple, connection.execute(asked).all()))
    _insert(connection, damaged, [row for row in rows if row[1:3] not in there])


def _insert(connection: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    names = table.c.keys()
    if rows:
        connection.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in rows])
