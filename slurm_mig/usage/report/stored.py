"""Rows and sums from the database, and what it finds by the rules of this report."""

from collections.abc import Iterator

from slurm_mig.usage.report.idle import LIMITS
from slurm_mig.usage.report.sizing import rule
from slurm_mig.usage.store import judging, query, totals
from slurm_mig.usage.store.asking import Filters, IdleRows, Sizing, Total
from slurm_mig.usage.store.database import Store
from slurm_mig.usage.store.nouns import Curves, Held


class Stored:
    """A Source: what matches of an open database. Raises StoreError."""

    def __init__(self, store: Store, filters: Filters) -> None:
        self._store = store
        self._filters = filters

    def rows(self) -> Iterator[Held]:
        return query.rows(self._store, self._filters)

    def curves(self) -> Curves:
        return query.curves(self._store, self._filters)

    def totals(self, *by: str) -> list[Total]:
        return totals.totals(self._store, self._filters, by)

    def sizing(self) -> list[Sizing]:
        return judging.sizing(self._store, self._filters, rule())

    def idle(self, most: int) -> IdleRows:
        return judging.idle(self._store, self._filters, LIMITS, most)
