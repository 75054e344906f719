"""What many jobs used, what would have done, and who used little: put together."""

from typing import NamedTuple

from slurm_mig.usage.report.idle import Idle, idle
from slurm_mig.usage.report.source import Source
from slurm_mig.usage.store.asking import Sizing, Total
from slurm_mig.usage.store.nouns import Held

BY = ("user", "account", "profile", "partition", "node")
MOST_HOLDERS = 50
_ORDER = ("smaller", "fits", "full", "unknown")


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
    whole, idlers = source.totals(), source.idle(MOST_HOLDERS)
    return Overview(
        by=by,
        total=whole[0] if whole else None,
        groups=tuple(source.totals(by)),
        days=tuple(sorted(source.totals("day"), key=lambda day: day.key[0] or "")),
        sizing=tuple(sorted(source.sizing(), key=_place)),
        holders=tuple(Holder(row, how) for row in idlers.longest if (how := idle(row.slice))),
        idle_count=idlers.slices,
    )


def _place(row: Sizing) -> tuple[str, str, int, float, str]:
    return (
        row.gpu_name or "",
        row.profile or "",
        _ORDER.index(row.verdict),
        -row.slice_hours,
        row.would_do or "",
    )
