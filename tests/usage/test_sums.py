"""A job's sums: what they add up to, and what a reader sees of them, whatever happened to them."""

import random

import pytest

from slurm_mig.usage import figures, record, sums
from slurm_mig.usage.sums import JobSums
from tests.usage.made import handed_over_1

KEYS = [(0, 9, 0), (0, 10, 0), (1, -1, -1)]


def written(job: JobSums, times: int = 2) -> bytearray:
    """The file after so many rounds; in each the first slice was sampled once."""
    file = bytearray(job.size)
    for _ in range(times):
        job.slices[0][sums.SAMPLES] += 1
        at, half = job.seal()
        file[at : at + len(half)] = half
    return file


def samples(file: bytearray) -> float | None:
    found = sums.read(bytes(file))
    return None if found is None else found.slices[0][sums.SAMPLES]


def test_the_newest_state_is_read() -> None:
    for times in range(1, 6):
        assert samples(written(sums.new(KEYS, 5.0), times)) == times
    found = sums.read(bytes(written(sums.new(KEYS, 5.0))))
    assert found is not None
    assert [sums.key_of(row) for row in found.slices] == KEYS
    assert [row[0] for row in found.gpus] == [0.0, 1.0]
    assert found.numbers[sums.PERIOD_S] == 5.0


@pytest.mark.parametrize("cut", [0, 1, 8, 100, 4000])
def test_what_is_no_whole_file_is_nothing(cut: int) -> None:
    file = bytes(written(sums.new(KEYS, 5.0)))
    assert sums.read(file[:cut]) is None
    assert sums.read(bytes(len(file))) is None
    assert sums.read(bytes(random.Random(1).randbytes(len(file)))) is None


def test_a_torn_half_leaves_the_other() -> None:
    job = sums.new(KEYS, 5.0)
    before = written(job, 4)
    job.slices[0][sums.SAMPLES] += 1
    at, half = job.seal()
    for cut in range(0, len(half), 56):
        torn = bytearray(before)
        torn[at : at + cut] = half[:cut]
        assert samples(torn) == (5 if bytes(torn[at : at + len(half)]) == bytes(half) else 4), cut


def test_a_changed_byte_is_noticed() -> None:
    file, chance = written(sums.new(KEYS, 5.0), 2), random.Random(2)
    for _ in range(300):
        broken = bytearray(file)
        at = chance.randrange(len(file))
        broken[at] ^= 1 << chance.randrange(8)
        assert samples(broken) in (1, 2)
        assert samples(broken) == (1 if at < len(file) // 2 else 2)  # the second is in the first


def test_a_stat_keeps_extremes_and_the_mean_over_time() -> None:
    stat = sums.new(KEYS, 5.0).slices[1].stat(sums.MEMORY)
    assert not stat.seen
    for value, seconds in ((-2.0, 1.0), (4.0, 3.0)):
        stat.see(value)
        stat.last(value, seconds)
    assert (stat.low, stat.high, stat.mean, stat.seconds) == (-2.0, 4.0, 2.5, 4.0)


def test_without_time_the_mean_is_of_what_was_seen() -> None:
    stat = sums.new(KEYS, 5.0).slices[1].stat(sums.MEMORY)
    stat.see(1.0)
    stat.see(3.0)
    assert stat.mean == 2.0


def test_rows_do_not_touch_each_other() -> None:
    job = sums.new(KEYS, 5.0)
    for number in range(sums.SLICE):
        job.slices[1][number] = 7.0
    others = (job.slices[0], job.slices[2])
    assert not any(row[place] == 7.0 for row in others for place in range(sums.SLICE))
    assert not any(row[place] == 7.0 for row in job.gpus for place in range(sums.GPU))


def test_a_file_of_version_1_is_read_and_has_no_curve() -> None:
    found = sums.read(handed_over_1())
    assert found is not None
    slices = [identity(key) for key in ((0, 9, 0), (1, -1, -1))]
    for at, usage in enumerate(figures.usage(found, slices, 20.0, 490.0)):
        assert usage is not None
        assert usage["memory"] == {
            "method": "nvml-memory-info",
            "min_mib": 1000.0 + at,
            "mean_mib": 2000.0 + at,
            "peak_mib": 3000.0 + at,
        }
        assert (usage["samples"], usage["sampled_s"], usage["curve"]) == (3, 10.0, None)
    assert [row[0] for row in found.gpus] == [0.0, 1.0]
    at, half = found.seal()  # what is written of it next is of today's version
    again = sums.read(bytes(at) + bytes(half) + bytes(found.size - at - len(half)))
    assert again is not None
    assert again.slices[1].part(0, sums.SLICE) == found.slices[1].part(0, sums.SLICE)


def test_a_file_of_version_1_that_is_damaged_is_none() -> None:
    file = bytearray(handed_over_1())
    size = len(file) // 2
    file[100] ^= 1
    assert sums.read(bytes(file)) is not None  # the other half
    file[size + 100] ^= 1
    assert sums.read(bytes(file)) is None


def test_a_version_that_is_not_known_is_none() -> None:
    """So is this one to a hook or monitor of version 1, whose only number is 5067093."""
    file = written(sums.new(KEYS, 5.0))
    with memoryview(file).cast("d") as numbers:
        assert numbers[0] == 5067094.0
    newer = sums.new(KEYS, 5.0)
    newer.numbers[0] = 5067095.0
    assert sums.read(bytes(written(newer))) is None


def identity(key: sums.Key) -> record.Record:
    minor, gi_id, ci_id = (None if one < 0 else one for one in key)
    return {"gpu_minor": minor, "gi_id": gi_id, "ci_id": ci_id, "gpu_uuid": f"GPU-{minor}"}


def test_what_was_never_sampled_is_null() -> None:
    job = sums.new(KEYS, 5.0)
    slices = [identity(key) for key in KEYS]
    assert figures.usage(job, slices, 10.0) == [None, None, None]
    assert figures.power(job, slices) == []


def test_what_was_not_measured_of_a_slice_is_null() -> None:
    job = sums.new(KEYS, 5.0)
    job.slices[1][sums.SAMPLES] = 1.0
    first, second, _ = figures.usage(job, [identity(key) for key in KEYS], None)
    assert first is None
    assert second is not None
    assert [name for name, value in second.items() if value is None] == [
        "coverage", "memory", "processes", "activity", "energy", "errors", "curve",
    ]  # fmt: skip


def test_slices_are_found_by_who_they_are() -> None:
    job = sums.new(KEYS, 5.0)
    job.slices[2][sums.SAMPLES] = 3.0
    other = identity((5, 1, 0))
    last, unknown = figures.usage(job, [identity(KEYS[2]), other], 10.0)
    assert last is not None
    assert last["samples"] == 3
    assert unknown is None


def test_coverage_is_a_share_of_the_jobs_time() -> None:
    job = sums.new(KEYS, 5.0)
    job.slices[0][sums.SAMPLES], job.slices[0][sums.SAMPLED_S] = 3.0, 10.0
    for duration_s, expected in ((20.0, 0.5), (9.99, 1.0), (None, None), (0.0, None)):
        (found,) = figures.usage(job, [identity(KEYS[0])], duration_s)
        assert found is not None
        assert found["coverage"] == expected
