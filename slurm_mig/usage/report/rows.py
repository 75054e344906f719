"""A report's rows in a list, such as from files."""

from collections.abc import Iterable, Iterator

from slurm_mig.usage.report.adding import added
from slurm_mig.usage.report.judging import idlest, sized
from slurm_mig.usage.store.asking import IdleRows, Sizing, Total
from slurm_mig.usage.store.nouns import Curves, Held


class Rows:
    """A Source: rows that somebody has read already; `curves` as far as wanted."""

    def __init__(self, rows: Iterable[Held], curves: Curves | None = None) -> None:
        self._rows = sorted(rows, key=_place)
        self._curves = curves or {}

    def rows(self) -> Iterator[Held]:
        return iter(self._rows)

    def curves(self) -> Curves:
        return self._curves

    def totals(self, *by: str) -> list[Total]:
        return added(self._rows, by)

    def sizing(self) -> list[Sizing]:
        return sized(self._rows)

    def idle(self, most: int) -> IdleRows:
        return idlest(self._rows, most)


def _place(row: Held) -> tuple[bool, float, int, str, int]:
    job = row.job
    return job.end is None, job.end or 0.0, job.job_id, job.record_id, row.slice.position
