"""Every slice that a job held, one by one. Sums are made in SQL: totals.py."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select

from slurm_mig.usage.store.curves import curves_of
from slurm_mig.usage.store.database import Store, reading
from slurm_mig.usage.store.filters import Filters, chosen
from slurm_mig.usage.store.nouns import Curves, Held, Job, Slice
from slurm_mig.usage.store.schema import records, slices, texts

ALL = Filters()
_JOB = list(records.c)[1:]
_SLICE = list(slices.c)[1:]
HELD = (*_JOB, *_SLICE)  # what as_held() takes
ORDER = (
    records.c.ended.nulls_last(), records.c.job_id, records.c.record_id, slices.c.position,
)  # fmt: skip


def rows(store: Store, filters: Filters = ALL) -> Iterator[Held]:
    """Every slice that a job held, by end (unknown ones last), job id, record id and position.

    They are read as they are asked for. A record that names no slice has no row.
    Raises StoreError.
    """
    asked = chosen(select(*HELD), filters).order_by(*ORDER)
    with reading(store) as connection:
        for row in connection.execute(asked, execution_options={"yield_per": 1000}):
            yield as_held(row)


def curves(store: Store, filters: Filters) -> Curves:
    """The curves of those slices, from the records' lines: ask for few. Raises StoreError."""
    asked = chosen(select(texts.c.json), filters).where(texts.c.record == records.c.id)
    with reading(store) as connection:
        lines = set(connection.execute(asked).scalars())
    return {place: curve for line in lines for place, curve in curves_of(line).items()}


def as_held(row: Sequence[Any]) -> Held:
    """A row of the columns HELD."""
    return Held(Job._make(row[: len(_JOB)]), Slice._make(row[len(_JOB) :]))
