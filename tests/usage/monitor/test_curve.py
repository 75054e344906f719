"""A slice's curve against a naive one that keeps every sample."""

from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.usage import figures, record, sums
from slurm_mig.usage.monitor import curve
from slurm_mig.usage.sums import BUCKETS, JobSums, Row

PERIOD_S = 5.0
KEYS = [(0, 9, 0)]
SLICE: record.Record = {"gpu_minor": 0, "gi_id": 9, "ci_id": 0}


class Look(NamedTuple):
    """A round: how long after the one before, what memory there is, and what GPM says since."""

    after_s: float
    memory_mib: float | None
    busy: float | None
    killed: bool = False


LOOKS = st.lists(
    st.builds(
        Look,
        st.sampled_from([0.0, 0.3, 4.999, 5.0, 5.0, 5.001, 10.0, 30.0, 3600.0, 1e7])
        | st.floats(0, 40),
        st.none() | st.integers(0, 90_000).map(float) | st.floats(0, 90_000),
        st.none() | st.floats(0, 1),
        st.booleans(),
    ),
    min_size=1,
    max_size=150,
)


def handed_over(job: JobSums) -> JobSums:
    """What the next monitor has of it, when this one is killed."""
    file = bytearray(job.size)
    at, half = job.seal()
    file[at : at + len(half)] = half
    found = sums.read(bytes(file))
    assert found is not None
    return found


def kept(looks: list[Look], begin_s: float = 1000.0, period_s: float = PERIOD_S) -> Row:
    job, now_s = sums.new(KEYS, period_s), begin_s
    for number, look in enumerate(looks):
        before_s, now_s = now_s, now_s + look.after_s
        curve.see_memory(job.slices[0], look.memory_mib, now_s, period_s)
        if look.busy is not None and number:
            curve.see_busy(job.slices[0], look.busy, before_s, now_s)
        if look.killed:
            job = handed_over(job)
    return job.slices[0]


class Naive(NamedTuple):
    """All samples: moments with a value, and times with a mean."""

    moments: list[tuple[float, float | None]]
    times: list[tuple[float, float, float]]

    @property
    def width_s(self) -> float:
        """The first that holds them all, by the rule: two periods, doubled."""
        last_s = max(at for at, _ in self.moments) - self.moments[0][0]
        width_s = 2 * PERIOD_S
        while last_s >= BUCKETS * width_s:
            width_s *= 2
        return width_s

    def tops(self) -> list[float | None]:
        """The highest of each bucket."""
        begin_s = self.moments[0][0]
        found: list[float | None] = [None] * BUCKETS
        for at_s, value in self.moments:
            at = int((at_s - begin_s) / self.width_s)
            if value is not None:
                found[at] = max(value, found[at] or 0.0)
        return found

    def means(self) -> list[tuple[float, float]]:
        """Integral and seconds of each."""
        begin_s, found = self.moments[0][0], []
        for at in range(BUCKETS):
            left, right = begin_s + at * self.width_s, begin_s + (at + 1) * self.width_s
            shares = [(max(0.0, min(b, right) - max(a, left)), mean) for a, b, mean in self.times]
            found.append((sum(s * mean for s, mean in shares), sum(s for s, _ in shares)))
        return found


def naive(looks: list[Look], begin_s: float = 1000.0) -> Naive:
    made, now_s = Naive([], []), begin_s
    for number, look in enumerate(looks):
        before_s, now_s = now_s, now_s + look.after_s
        made.moments.append((now_s, look.memory_mib))
        if look.busy is not None and number:
            made.times.append((before_s, now_s, look.busy))
    return made


@given(LOOKS)
def test_it_is_what_all_samples_would_make(looks: list[Look]) -> None:
    row, truth = kept(looks), naive(looks)
    assert row[sums.BUCKET_S] == truth.width_s
    tops = [top - 1 if top else None for top in row.part(sums.TOPS, BUCKETS)]
    assert [top is None for top in tops] == [top is None for top in truth.tops()]
    for top, expected in zip(tops, truth.tops(), strict=True):
        assert top == pytest.approx(expected, abs=1e-9)
    busy, busy_s = row.part(sums.BUSY, BUCKETS), row.part(sums.BUSY_S, BUCKETS)
    for integral, seconds, mean in zip(busy, busy_s, truth.means(), strict=True):
        assert (integral, seconds) == pytest.approx(mean, rel=1e-9, abs=1e-6)


@given(LOOKS)
def test_its_highest_is_the_jobs_and_its_time_too(looks: list[Look]) -> None:
    """Nothing is lost at the edges of buckets, nor twice in them."""
    row, truth = kept(looks), naive(looks)
    values = [value for _, value in truth.moments if value is not None]
    assert max(row.part(sums.TOPS, BUCKETS)) == max((value + 1 for value in values), default=0)
    seconds = sum(b - a for a, b, _ in truth.times)
    assert sum(row.part(sums.BUSY_S, BUCKETS)) == pytest.approx(seconds, rel=1e-9, abs=1e-6)


@given(LOOKS, st.integers(0, 149))
def test_a_kill_changes_nothing(looks: list[Look], at: int) -> None:
    calm = [look._replace(killed=False) for look in looks]
    killed = [look._replace(killed=number == at) for number, look in enumerate(calm)]
    assert kept(killed).part(0, sums.SLICE) == kept(calm).part(0, sums.SLICE)


@given(LOOKS)
def test_what_a_record_tells_of_it(looks: list[Look]) -> None:
    found, truth = told(kept(looks)), naive(looks)
    if found is None:
        assert not truth.times or sum(b - a for a, b, _ in truth.times) == 0
        assert all(value is None for _, value in truth.moments)
        return
    lists = [found[name] for name in ("memory_peak_mib", "sm_mean") if found[name] is not None]
    assert {len(one) for one in lists} == {len(lists[0])}
    assert len(lists[0]) <= BUCKETS
    assert any(one[-1] is not None for one in lists)
    assert all(any(value is not None for value in one) for one in lists)
    for value, top in zip(found["memory_peak_mib"] or [], truth.tops(), strict=False):
        assert (value is None) == (top is None)
        assert value is None or (type(value) is int and abs(value - (top or 0.0)) <= 0.5)
    assert all(0 <= value <= 1 for value in found["sm_mean"] or [] if value is not None)


def told(row: Row, since_s: float | None = 990.0) -> Any:
    job = sums.new(KEYS, PERIOD_S)
    job.slices[0].take(row, sums.SLICE)
    job.slices[0][sums.SAMPLES] = 1.0
    (usage,) = figures.usage(job, [SLICE], None, since_s)
    assert usage is not None
    return usage["curve"]


def steady(times: int, period_s: float = PERIOD_S) -> list[Look]:
    return [Look(period_s, 100.0 + number, 0.5) for number in range(times)]


@pytest.mark.parametrize("rounds", [2, 48, 96, 97, 500, 20_000])
def test_a_long_job_has_24_to_48_buckets_and_none_is_empty(rounds: int) -> None:
    found = told(kept(steady(rounds)))
    length = len(found["memory_peak_mib"])
    assert length == len([one for one in found["memory_peak_mib"] if one is not None])
    assert length <= BUCKETS
    assert length >= min(24, rounds // 2)
    assert found["bucket_s"] in [2 * PERIOD_S * 2**power for power in range(20)]
    assert found["from_s"] == 15.0
    assert set(found["sm_mean"]) <= {0.5, None}


def test_samples_that_come_early_and_late_leave_no_bucket_empty() -> None:
    looks = [Look(4.0 if number % 3 else 7.0, 1.0, None) for number in range(60)]
    assert None not in told(kept(looks))["memory_peak_mib"]


def test_a_bucket_without_a_sample_is_null_and_never_0() -> None:
    looks = [Look(0, 0.0, None), Look(5, 0.0, 0.0), Look(60, 7.0, None), Look(5, None, 0.0)]
    found = told(kept(looks))
    assert found["memory_peak_mib"] == [0, None, None, None, None, None, 7]
    assert found["sm_mean"] == [0.0, None, None, None, None, None, 0.0]


def test_what_was_never_known_is_null() -> None:
    dark = told(kept([Look(5, 3.0, None)] * 4))
    assert (dark["memory_peak_mib"], dark["sm_mean"]) == ([3, 3], None)
    without = told(kept([Look(5, None, 0.25)] * 4))
    assert (without["memory_peak_mib"], without["sm_mean"]) == (None, [0.25, 0.25])
    assert told(kept([Look(5, None, None)] * 4)) is None


def test_when_the_job_began_may_not_be_known() -> None:
    assert told(kept(steady(3)), None)["from_s"] is None
    assert told(kept(steady(3)), 2000.0)["from_s"] == 0.0


def test_a_monitor_with_a_longer_period_goes_on_with_wider_buckets() -> None:
    row = kept(steady(10))
    now_s = 1050.0
    for number in range(6):
        curve.see_memory(row, 500.0 + number, now_s + 60.0 * number, 60.0)
    found = told(row)
    assert found["bucket_s"] == 160.0
    assert found["memory_peak_mib"] == [501, 504, 505]


def test_activity_before_the_first_look_is_not_kept() -> None:
    row = sums.new(KEYS, PERIOD_S).slices[0]
    curve.see_busy(row, 1.0, 0.0, 5.0)
    assert not any(row.part(sums.CURVE_FROM_S, sums.SLICE - sums.CURVE_FROM_S))
    curve.see_memory(row, 1.0, 100.0, PERIOD_S)
    curve.see_busy(row, 1.0, 90.0, 105.0)  # some of it lies before
    assert sum(row.part(sums.BUSY_S, BUCKETS)) == 5.0


def test_a_clock_that_went_back_touches_no_other_number() -> None:
    job = sums.new([*KEYS, (0, 10, 0)], PERIOD_S)
    first, row = job.slices
    curve.see_memory(row, 5.0, 1000.0, PERIOD_S)
    curve.see_memory(row, 7.0, 10.0, PERIOD_S)
    curve.see_busy(row, 1.0, 10.0, 15.0)
    assert row.part(sums.TOPS, BUCKETS) == [8.0] + [0.0] * 47
    assert not any(row.part(sums.BUSY, 2 * BUCKETS))
    assert not any(first.part(sums.SAMPLES, sums.SLICE - sums.SAMPLES))


def test_a_row_stays_as_long_whatever_comes() -> None:
    looks = [Look(float(2**number), 1.0, 1.0) for number in range(60)]
    row = kept(looks)
    assert len(row.part(0, sums.SLICE)) == sums.SLICE
    assert told(row)["memory_peak_mib"][0] == 1


def test_how_many_bytes_it_adds_to_a_line() -> None:
    """At most so many a slice: docs/usage.md says so."""
    import json

    looks = [Look(PERIOD_S, 80_000.0 + number, 1 / 3) for number in range(96)]
    found = json.dumps({"curve": told(kept(looks), 123.456)}, separators=(",", ":"))
    assert len(found) < 640
