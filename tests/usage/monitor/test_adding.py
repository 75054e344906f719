"""Readings into sums, and energy into shares: the arithmetic by itself."""

from slurm_mig.usage import sums
from slurm_mig.usage.monitor import adding, energy
from slurm_mig.usage.monitor.adding import Reading
from slurm_mig.usage.monitor.energy import Power
from slurm_mig.usage.sums import JobSums, Row


def job() -> JobSums:
    return sums.new([(0, 9, 0), (0, 10, 0)], 5.0)


def reading(memory_mib: float | None, sram: int | None = None) -> Reading:
    return Reading(memory_mib, False, None, sram)


def add(row: Row, before: Reading | None, now: Reading, now_s: float) -> bool:
    return adding.reading(row, before, now, now_s, 5.0)


def test_readings_that_follow_each_other_make_time() -> None:
    row, first, second = job().slices[0], reading(10.0), reading(20.0)
    assert not add(row, None, first, 100.0)
    assert add(row, first, second, 105.0)
    assert add(row, second, first, 108.0)
    assert (row[sums.SAMPLES], row[sums.SAMPLED_S], row[sums.GAPS]) == (3, 8.0, 0)
    assert row.stat(sums.MEMORY).mean == 15.0


def test_what_is_too_far_apart_is_a_gap() -> None:
    row, one = job().slices[0], reading(10.0)
    add(row, None, one, 100.0)
    assert add(row, one, one, 115.0)  # three periods
    assert not add(row, one, one, 130.1)
    assert (row[sums.GAPS], round(row[sums.GAP_S], 3)) == (1, 15.1)
    assert adding.longest_s(0.5) == 2.5  # a busy machine is no gap


def test_an_unknown_value_leaves_the_others_alone() -> None:
    row = job().slices[0]
    add(row, None, reading(None), 100.0)
    add(row, reading(None), reading(30.0), 105.0)
    stat = row.stat(sums.MEMORY)
    assert (stat.low, stat.high, stat.mean, stat.seconds) == (30.0, 30.0, 30.0, 0.0)
    assert not row.stat(sums.PROCESSES).seen


def test_errors_begin_with_the_first_look() -> None:
    row, before = job().slices[0], None
    for at, counter in enumerate((5, 5, 7, 1, 2)):
        now = reading(1.0, counter)
        add(row, before, now, 100.0 + at)
        before = now
    assert row[sums.ECC] == 3


def test_different_xids_are_kept_apart_up_to_a_number() -> None:
    row = job().slices[0]
    for number in (*range(20), 3, 3):
        adding.xid(row, number, True)
    adding.xid(row, 3, False)
    kept = adding.xids_of(row)
    assert len(kept) == sums.MOST_XIDS
    assert (3, 3, True) in kept


def test_the_same_xid_of_the_slice_and_of_the_gpu_are_two() -> None:
    row = job().slices[0]
    for attributed in (True, False, False):
        adding.xid(row, 31, attributed)
    assert adding.xids_of(row) == ((31, 1, True), (31, 2, False))


def shared() -> tuple[Row, list[Row]]:
    made = job()
    made.slices[0][sums.SHARE], made.slices[1][sums.SHARE] = 3 / 7, 1 / 7
    return made.gpus[0], made.slices


def test_a_counter_is_shared_out() -> None:
    gpu, slices = shared()
    for now_s, counter in ((100.0, 5_000), (110.0, 12_000), (120.0, 19_000)):
        energy.add(gpu, slices, None, Power(counter, 70.0), now_s)
    stat = gpu.stat(sums.POWER)
    assert (stat.integral, stat.seconds) == (14.0, 20.0)
    assert [round(row[sums.JOULES], 6) for row in slices] == [6.0, 2.0]
    assert gpu[sums.POWER_BY] == sums.BY_COUNTER


def test_a_counter_that_begins_anew_is_counted_from_there() -> None:
    gpu, slices = shared()
    for now_s, counter in ((100.0, 50_000), (110.0, 1_000), (120.0, 3_000)):
        energy.add(gpu, slices, None, Power(counter, None), now_s)
    assert gpu.stat(sums.POWER).integral == 2.0


def test_a_counter_that_does_not_answer_is_not_replaced() -> None:
    gpu, slices = shared()
    energy.add(gpu, slices, None, Power(5_000, 100.0), 100.0)
    energy.add(gpu, slices, Power(5_000, 100.0), Power(None, 100.0), 110.0)
    energy.add(gpu, slices, None, Power(9_000, 100.0), 120.0)
    assert (gpu.stat(sums.POWER).integral, gpu.stat(sums.POWER).seconds) == (4.0, 20.0)


def test_power_is_integrated_only_where_it_was_watched() -> None:
    gpu, slices = shared()
    first, second = Power(None, 100.0), Power(None, 200.0)
    energy.add(gpu, slices, None, first, 100.0)
    energy.add(gpu, slices, first, second, 110.0)
    energy.add(gpu, slices, None, second, 900.0)  # nobody looked in between
    assert gpu.stat(sums.POWER).integral == 1500.0
    assert gpu[sums.POWER_BY] == sums.BY_POWER


def test_nothing_known_is_nothing_told() -> None:
    gpu, slices = shared()
    energy.add(gpu, slices, None, Power(None, None), 100.0)
    assert not gpu[sums.POWER_BY]
    assert not slices[0][sums.ENERGY_IS]


def test_without_a_share_there_is_no_estimate() -> None:
    gpu, slices = shared()
    slices[1][sums.SHARE] = 0.0
    for now_s, counter in ((100.0, 0), (110.0, 7_000)):
        energy.add(gpu, slices, None, Power(counter, None), now_s)
    assert [row[sums.ENERGY_IS] for row in slices] == [1.0, 0.0]
