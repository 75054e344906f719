"""A piece of a file into the database: its records and how far the file was read, or neither."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from slurm_mig.usage.store.batch import Bad, Batch, Good
from slurm_mig.usage.store.bulk import insert_rows
from slurm_mig.usage.store.database import Store, reading, writing
from slurm_mig.usage.store.piece import START, Mark
from slurm_mig.usage.store.schema import damaged, records, slices, sources, texts

_ASK = 500  # record ids in one question


class Place(NamedTuple):
    """How far a source was read: its mark, and how many lines stand before that.

    `unkept` of these lines are in no table as they are: of a later version, records that came
    again with another text, and damaged ones of which there were too many to note.
    """

    mark: Mark = START
    lines: int = 0
    unkept: int = 0


class Added(NamedTuple):
    """What came of one piece: new records, and those that were there.

    `differing`: of these, ids whose record there has another text. The first one stays.
    """

    new: int
    known: int
    differing: tuple[str, ...]


def places(store: Store, prefix: str) -> Mapping[str, Place]:
    """How far each source of such a name was read; those that never were are missing.

    Raises StoreError.
    """
    named = sources.c.source.startswith(prefix, autoescape=True)
    with reading(store) as connection:
        return dict(map(_place, connection.execute(select(sources).where(named)).all()))


def place_of(store: Store, source: str) -> Place:
    """How far one source was read. Raises StoreError."""
    with reading(store) as connection:
        return _current(connection, source)


def add(
    store: Store, source: str, before: Place, start: Place, end: Mark, batch: Batch
) -> Added | None:
    """Store a piece of a source that is at `before`; the piece lies between `start` and `end`.

    None, and nothing is stored, where the source is not at `before` any more: another collect
    was faster. Raises StoreError; then nothing is stored either.
    """
    with writing(store) as connection:
        if _current(connection, source) != before:
            return None
        added = _add_records(connection, batch)
        _add_damaged(connection, source, start.lines, batch.bad)
        newer = sum(bad.newer for bad in batch.bad)
        unkept = start.unkept + newer + batch.bad_left_out + len(added.differing)
        connection.execute(sources.delete().where(sources.c.source == source))
        row = (source, end.position, start.lines + batch.lines, unkept, end.digest)
        insert_rows(connection, sources, [row])
        return added


def _current(connection: Connection, source: str) -> Place:
    row = connection.execute(select(sources).where(sources.c.source == source)).first()
    return Place() if row is None else _place(row)[1]


def _place(row: Sequence[Any]) -> tuple[str, Place]:
    source, position, lines, unkept, digest = row
    return source, Place(Mark(position, digest), lines, unkept)


def _add_records(connection: Connection, batch: Batch) -> Added:
    """Those that are not there yet. Nobody else writes meanwhile, so ids can be counted on."""
    first: dict[str, Good] = {}
    for good in batch.records:
        first.setdefault(good.parsed.job.record_id, good)
    there = _texts_of(connection, list(first))
    texts_now = {key: there.get(key, good.text) for key, good in first.items()}
    given = [(good.parsed.job.record_id, good.text) for good in batch.records]
    differing = dict.fromkeys(key for key, text in given if texts_now[key] != text)
    new = [good for key, good in first.items() if key not in there]
    _insert_new(connection, new)
    return Added(len(new), len(given) - len(new), tuple(differing))


def _insert_new(connection: Connection, new: Sequence[Good]) -> None:
    start = (connection.execute(select(func.max(records.c.id))).scalar() or 0) + 1
    numbered = list(enumerate(new, start))
    insert_rows(connection, records, [(number, *good.parsed.job) for number, good in numbered])
    held = [(number, *one) for number, good in numbered for one in good.parsed.slices]
    insert_rows(connection, slices, held)
    insert_rows(connection, texts, [(number, good.text) for number, good in numbered])


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
    insert_rows(connection, damaged, [row for row in rows if row[1:3] not in there])


def missing(store: Store, batch: Batch) -> int | None:
    """The first line of a batch, from 1, that the database does not have as it is; None: none.

    Lines that are no records must be known as such. A line of a later version never is: what it
    says is in no table yet. Raises StoreError.
    """
    with reading(store) as connection:
        there = _texts_of(connection, [good.parsed.job.record_id for good in batch.records])
        known = _damaged_of(connection, [bad.digest for bad in batch.bad])
    lost = [
        good.line for good in batch.records if there.get(good.parsed.job.record_id) != good.text
    ]
    lost += [bad.line for bad in batch.bad if bad.newer or bad.digest not in known]
    if batch.bad_left_out:
        lost.append(batch.lines)
    return min(lost, default=None)


def _damaged_of(connection: Connection, digests: list[str]) -> set[str]:
    found: set[str] = set()
    for at in range(0, len(digests), _ASK):
        wanted = damaged.c.digest.in_(digests[at : at + _ASK])
        found.update(connection.execute(select(damaged.c.digest).where(wanted)).scalars())
    return found
