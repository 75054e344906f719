"""One more reading into a job's sums. Pure.

A mean is over time: between two readings that follow each other, a quantity is taken to have
been the mean of both. What lies between two others is a gap: it counts for nothing but itself.
"""

from typing import NamedTuple

from slurm_mig.usage import sums
from slurm_mig.usage.monitor.curve import see_busy, see_memory
from slurm_mig.usage.sums import Row

_SM = sums.ACTIVITIES.index("sm")  # what says most of them


class Reading(NamedTuple):
    """A slice at one moment. Unknown is None."""

    memory_mib: float | None
    by_processes: bool
    processes: int | None
    sram: int | None


def longest_s(period_s: float) -> float:
    """Two readings that are further apart than this do not follow each other."""
    return max(3 * period_s, period_s + 2.0)


def reading(row: Row, before: Reading | None, now: Reading, now_s: float, period_s: float) -> bool:
    """Add a slice's reading; whether it follows the one before. `before` None: it does not.

    That there was one before, maybe of a daemon that was killed since, is known from the row.
    """
    seconds = now_s - row[sums.LAST_S]
    follows = before is not None and seconds <= longest_s(period_s)
    if row[sums.SAMPLES] and follows:
        row[sums.SAMPLED_S] += seconds
    elif row[sums.SAMPLES]:
        row[sums.GAPS] += 1
        row[sums.GAP_S] += seconds
    row[sums.SAMPLES] += 1
    row[sums.LAST_S] = now_s
    old = before if follows else None
    _value(row, sums.MEMORY, old and old.memory_mib, now.memory_mib, seconds)
    _value(row, sums.PROCESSES, old and old.processes, now.processes, seconds)
    row[sums.METHOD] = sums.BY_PROCESSES if now.by_processes else sums.BY_MEMORY_INFO
    see_memory(row, now.memory_mib, now_s, period_s)
    if now.sram is not None:
        _count_sram(row, now.sram)
    return follows


def _value(row: Row, place: int, before: float | None, now: float | None, seconds: float) -> None:
    if now is None:
        return
    stat = row.stat(place)
    stat.see(now)
    if before is not None:
        stat.last((before + now) / 2, seconds)


def _count_sram(row: Row, counter: int) -> None:
    """The driver's counter begins anew when it is loaded again."""
    if row[sums.ECC_IS] and counter > row[sums.ECC_LAST]:
        row[sums.ECC] += counter - row[sums.ECC_LAST]
    row[sums.ECC_IS], row[sums.ECC_LAST] = 1.0, float(counter)


def activity(
    row: Row, ratios: tuple[float | None, ...], from_s: float, to_s: float, *, whole: bool
) -> None:
    """Add what GPM says of the time between two samples; in the order of sums.ACTIVITIES."""
    seconds = to_s - from_s
    for number, ratio in enumerate(ratios):
        if ratio is not None:
            stat = row.stat(sums.ACTIVITY + number * sums.STAT)
            stat.see(ratio)
            stat.last(ratio, seconds)
            if number == _SM:
                see_busy(row, ratio, from_s, to_s)
    row[sums.ACTIVITY_S] += seconds
    row[sums.ACTIVITY_IS] = sums.ACTIVITY_OF_GPU if whole else sums.ACTIVITY_OF_GI


def xid(row: Row, number: int, attributed: bool) -> None:
    """Count an Xid error; of more than MOST_XIDS different ones the later are lost."""
    for at in range(sums.XIDS, sums.XIDS + 3 * sums.MOST_XIDS, 3):
        if not row[at + 1]:
            row[at], row[at + 2] = float(number), float(attributed)
        if row[at] == number and row[at + 2] == attributed:
            row[at + 1] += 1
            return


def xids_of(row: Row) -> tuple[tuple[int, int, bool], ...]:
    """(xid, count, attributed) of each that was counted."""
    places = range(sums.XIDS, sums.XIDS + 3 * sums.MOST_XIDS, 3)
    return tuple(
        (int(row[at]), int(row[at + 1]), bool(row[at + 2])) for at in places if row[at + 1]
    )
