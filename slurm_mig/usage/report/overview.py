"""What many jobs used: their sums, and one pass over their rows."""

import heapq
from collections.abc import Iterable
from typing import NamedTuple

from slurm_mig.usage.report.idle import Idle, idle
from slurm_mig.usage.report.sizing import Advice, advise
from slurm_mig.usage.report.source import Source
from slurm_mig.usage.store.asking import Total
from slurm_mig.usage.store.nouns import Held

BY = ("user", "account", "profile", "partition", "node")
MOST_HOLDERS = 50
_HOUR_S = 3600.0
_ORDER = ("smaller", "fits", "full", "unknown")


class Sizing(NamedTuple):
    """The slices of one profile of which the same is said (sizing.Advice).

    `uncertain` counts those in doubt, `by_memory_only` those whose activity is not known;
    `period_s` is the longest time between two samples that any of them was measured with.
    """

    gpu_name: str | None
    profile: str | None
    verdict: str
    would_do: str | None
    slices: int
    slice_hours: float
    uncertain: int
    by_memory_only: int
    period_s: float | None


class Holder(NamedTuple):
    """A slice that somebody held and hardly used."""

    row: Held
    idle: Idle


class Overview(NamedTuple):
    """A report. `total` is None where there are no rows.

    `groups` have the most slice hours first, `days` are in their order, `holders` the longest
    of `idle_count` idle slices.
    """

    by: str
    total: Total | None
    groups: tuple[Total, ...]
    days: tuple[Total, ...]
    sizing: tuple[Sizing, ...]
    holders: tuple[Holder, ...]
    idle_count: int


def overview(source: Source, by: str) -> Overview:
    """The report of all rows of `source`, by one of BY."""
    sizing, holders, count = _each(source.rows())
    whole = source.totals()
    return Overview(
        by=by,
        total=whole[0] if whole else None,
        groups=tuple(source.totals(by)),
        days=tuple(sorted(source.totals("day"), key=lambda day: day.key[0] or "")),
        sizing=sizing,
        holders=holders,
        idle_count=count,
    )


class _Longest:
    """The slices that were held longest, of any number."""

    def __init__(self) -> None:
        self.count = 0
        self._heap: list[tuple[float, int, Holder]] = []

    def add(self, holder: Holder) -> None:
        self.count += 1
        entry = (holder.row.job.duration_s or 0.0, -self.count, holder)
        if len(self._heap) < MOST_HOLDERS:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def holders(self) -> tuple[Holder, ...]:
        """The longest first."""
        return tuple(holder for _, _, holder in sorted(self._heap, reverse=True))


def _each(rows: Iterable[Held]) -> tuple[tuple[Sizing, ...], tuple[Holder, ...], int]:
    sizes: dict[_Key, _Size] = {}
    longest = _Longest()
    for row in rows:
        advice, one = advise(row.slice), row.slice
        key = (one.gpu_name, one.profile, advice.verdict, advice.profile)
        size = sizes.get(key)
        if size is None:
            size = sizes[key] = _Size()
        size.add(row.job.duration_s, one.period_s, advice)
        held = idle(one)
        if held is not None:
            longest.add(Holder(row, held))
    found = (size.sizing(key) for key, size in sizes.items())
    return tuple(sorted(found, key=_place)), longest.holders(), longest.count


_Key = tuple[str | None, str | None, str, str | None]


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


def _place(row: Sizing) -> tuple[str, str, int, float, str]:
    return (
        row.gpu_name or "",
        row.profile or "",
        _ORDER.index(row.verdict),
        -row.slice_hours,
        row.would_do or "",
    )
