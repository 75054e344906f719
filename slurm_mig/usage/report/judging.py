"""Rows judged one by one, where no database does it: the same as store/judging.py. Pure."""

import heapq
from collections.abc import Iterable

from slurm_mig.usage.report.idle import idle
from slurm_mig.usage.report.sizing import Advice, advise
from slurm_mig.usage.store.asking import IdleRows, Sizing
from slurm_mig.usage.store.nouns import Held

_HOUR_S = 3600.0
_Key = tuple[str | None, str | None, str, str | None]


def sized(rows: Iterable[Held]) -> list[Sizing]:
    """What is said of all slices, counted, in no order."""
    sizes: dict[_Key, _Size] = {}
    for job, one in rows:
        advice = advise(one)
        key = (one.gpu_name, one.profile, advice.verdict, advice.profile)
        sizes.setdefault(key, _Size()).add(job.duration_s, one.period_s, advice)
    return [size.sizing(key) for key, size in sizes.items()]


def idlest(rows: Iterable[Held], most: int) -> IdleRows:
    """The idle slices, of rows in their order."""
    found = [row for row in rows if idle(row.slice) is not None]
    # Equal ones stay in their order.
    return IdleRows(len(found), tuple(heapq.nsmallest(most, found, key=_shortness)))


def _shortness(row: Held) -> float:
    return -(row.job.duration_s or 0.0)


class _Size:
    """The running sums of a Sizing."""

    def __init__(self) -> None:
        self._slices = self._uncertain = self._by_memory_only = 0
        self._held_s = self._period_s = 0.0

    def add(self, duration_s: float | None, period_s: float | None, advice: Advice) -> None:
        self._slices += 1
        self._held_s += duration_s or 0.0
        self._period_s = max(self._period_s, period_s or 0.0)
        self._uncertain += bool(advice.doubts)
        self._by_memory_only += advice.by_memory_only

    def sizing(self, key: _Key) -> Sizing:
        return Sizing(
            *key,
            slices=self._slices,
            slice_hours=self._held_s / _HOUR_S,
            uncertain=self._uncertain,
            by_memory_only=self._by_memory_only,
            period_s=self._period_s or None,
        )
