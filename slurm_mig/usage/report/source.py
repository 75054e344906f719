"""Where a report has its rows from: a Protocol, and the one that keeps them in a list. Pure."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from slurm_mig.usage.report.adding import added
from slurm_mig.usage.store.asking import Total
from slurm_mig.usage.store.nouns import Curves, Held


class Source(Protocol):
    """The rows that a report is about, each once, and their sums."""

    def rows(self) -> Iterator[Held]:
        """By end, job id, record id and position."""

    def curves(self) -> Curves:
        """The curves of these slices, by (record id, position); for the rows of single jobs."""

    def totals(self, *by: str) -> list[Total]:
        """Summed by the values of `by`, the most slice hours first; by nothing: one, or none."""


class Rows:
    """Rows that somebody has read already, such as from files; `curves` as far as wanted."""

    def __init__(self, rows: Iterable[Held], curves: Curves | None = None) -> None:
        self._rows = sorted(rows, key=_place)
        self._curves = curves or {}

    def rows(self) -> Iterator[Held]:
        return iter(self._rows)

    def curves(self) -> Curves:
        return self._curves

    def totals(self, *by: str) -> list[Total]:
        return added(self._rows, by)


def _place(row: Held) -> tuple[float, int, str, int]:
    end = row.job.end
    return end if end is not None else 0.0, row.job.job_id, row.job.record_id, row.slice.position
