"""A slice's use over the job's time, in a fixed number of buckets of one width. Pure.

The first width is two periods: then a sample that comes a little late leaves no bucket empty.
When the time has outgrown the buckets, each two neighbours become one and the width doubles.
Both the highest and the mean of a bucket come out of that as if it had been so wide all along.
"""

from slurm_mig.usage.sums import BUCKET_S, BUCKETS, BUSY, BUSY_S, CURVE_FROM_S, TOPS, Row

_PERIODS = 2


def see_memory(row: Row, memory_mib: float | None, now_s: float, period_s: float) -> None:
    """The slice has so much memory now (None: unknown). The first call begins the curve."""
    if not row[BUCKET_S]:
        row[CURVE_FROM_S], row[BUCKET_S] = now_s, _PERIODS * period_s
    while row[BUCKET_S] < _PERIODS * period_s:  # begun by a monitor with a shorter period
        _double(row)
    at = _bucket(row, now_s)
    if memory_mib is not None and memory_mib + 1 > row[TOPS + at]:
        row[TOPS + at] = memory_mib + 1


def see_busy(row: Row, ratio: float, from_s: float, to_s: float) -> None:
    """Its SMs were so busy, on average, in that time. Before the first memory it is not kept."""
    if not row[BUCKET_S]:
        return
    last = _bucket(row, to_s)
    from_s, width_s = max(from_s, row[CURVE_FROM_S]), row[BUCKET_S]
    for at in range(_bucket(row, from_s), last + 1):
        begin_s = row[CURVE_FROM_S] + at * width_s
        seconds = min(to_s, begin_s + width_s) - max(from_s, begin_s)
        if seconds > 0:
            row[BUSY + at] += ratio * seconds
            row[BUSY_S + at] += seconds


def _bucket(row: Row, at_s: float) -> int:
    """In which bucket that moment is; there is room for it then."""
    since_s = at_s - row[CURVE_FROM_S]
    while since_s >= BUCKETS * row[BUCKET_S]:
        _double(row)
    return min(max(int(since_s / row[BUCKET_S]), 0), BUCKETS - 1)


def _double(row: Row) -> None:
    row[BUCKET_S] *= 2
    for place in (TOPS, BUSY, BUSY_S):
        old = row.part(place, BUCKETS) + [0.0] * BUCKETS
        pairs = zip(old[::2], old[1::2], strict=True)
        for at, (one, other) in enumerate(pairs):
            row[place + at] = max(one, other) if place == TOPS else one + other
