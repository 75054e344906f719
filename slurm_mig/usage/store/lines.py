"""The records themselves, line by line, for the users whose jobs they are of."""

from collections import deque
from collections.abc import Iterator
from itertools import groupby

from sqlalchemy import func, select

from slurm_mig.usage.store.database import Store, reading
from slurm_mig.usage.store.schema import records, texts


def newest_id(store: Store) -> int:
    """The number of the record that was put in last; 0 where there is none. Raises StoreError."""
    with reading(store) as connection:
        return connection.execute(select(func.max(records.c.id))).scalar() or 0


def uids_after(store: Store, record_id: int, up_to: int) -> list[int]:
    """Whose records were put in after that number, until the other. Raises StoreError."""
    new = select(records.c.uid).distinct().where(records.c.id > record_id, records.c.id <= up_to)
    with reading(store) as connection:
        found = connection.execute(new.where(records.c.uid.is_not(None))).scalars().all()
    return sorted(found)


def of_users(
    store: Store, uids: list[int], since: float, most: int
) -> Iterator[tuple[int, list[str]]]:
    """Of each uid the records that ended since then, in their order; of too many the newest.

    Only of those that have any. Raises StoreError.
    """
    asked = (
        select(records.c.uid, texts.c.json)
        .join(texts, texts.c.record == records.c.id)
        .where(records.c.ended >= since, records.c.uid.in_(uids))
        .order_by(records.c.uid, records.c.ended, records.c.id)
    )
    with reading(store) as connection:
        found = connection.execute(asked, execution_options={"yield_per": 1000})
        for uid, rows in groupby(found, key=lambda row: row[0]):
            yield uid, list(deque((row[1] for row in rows), maxlen=most))
