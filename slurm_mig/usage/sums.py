"""What was measured of a job so far, in a fixed number of numbers. Pure, and light: hooks use it.

All of it is one row of doubles, which is also what stands in the hand-over file: two halves of
the same size, written in turn, each with a sequence number and a checksum. So whoever reads sees
a whole state, whenever the writer is killed. A row of zeros is a job of which nothing is known.
"""

from binascii import crc32

_MAGIC_1 = 5067093.0  # "MQU": slices end before their curves
_MAGIC = 5067094.0  # version 2
_HEAD = 8
(_IS, SEQUENCE, _CRC, SLICES, GPUS, PERIOD_S) = range(6)

# A slice: who it is, then what was added up. -1 stands for none; times are on CLOCK_BOOTTIME.
(
    GPU_MINOR, GI_ID, CI_ID, SAMPLES, SAMPLED_S, GAPS, GAP_S, LAST_S, METHOD, SHARED_GI, GONE,
    ACTIVITY_S, ACTIVITY_IS, SHARE, ENERGY_IS, JOULES, ECC_IS, ECC_LAST, ECC, XIDS_ARE,
) = range(20)  # fmt: skip
BY_MEMORY_INFO, BY_PROCESSES = 1.0, 2.0  # METHOD
ACTIVITY_OF_GI, ACTIVITY_OF_GPU = 1.0, 2.0  # ACTIVITY_IS
STAT = 6
MEMORY, PROCESSES, ACTIVITY = 20, 20 + STAT, 20 + 2 * STAT
ACTIVITIES = (
    "graphics", "sm", "occupancy", "tensor", "fp64", "fp32", "fp16", "dram_bandwidth",
)  # fmt: skip
XIDS = ACTIVITY + STAT * len(ACTIVITIES)  # three numbers each: xid, count, attributed
MOST_XIDS = 8
_SLICE_1 = XIDS + 3 * MOST_XIDS  # of version 1

# Its curve: buckets of one width from the first sample on. 48 fit on a line with their words, and
# tell the time of any long job in 24 to 48 steps. A bucket has its highest memory and 1 more
# (0: none), and the integral of the busy SMs with the seconds that it is of.
BUCKETS = 48
CURVE_FROM_S, BUCKET_S, TOPS = _SLICE_1, _SLICE_1 + 1, _SLICE_1 + 2
BUSY, BUSY_S = TOPS + BUCKETS, TOPS + 2 * BUCKETS
SLICE = BUSY_S + BUCKETS

# A GPU: all its tenants' power.
(_GPU, POWER_BY, LAST_MJ, POWER_LAST_S) = range(4)
BY_COUNTER, BY_POWER = 1.0, 2.0  # POWER_BY
POWER = 4
GPU = POWER + STAT

Key = tuple[int, int, int]  # GPU minor, GI id, CI id; -1, -1 for a whole GPU


class Row:
    """Some of the numbers, by their place: `row[SAMPLES]`."""

    __slots__ = ("at", "numbers")

    def __init__(self, numbers: "memoryview[float]", at: int) -> None:
        self.numbers = numbers
        self.at = at

    def __getitem__(self, place: int) -> float:
        return self.numbers[self.at + place]

    def __setitem__(self, place: int, value: float) -> None:
        self.numbers[self.at + place] = value

    def take(self, other: "Row", length: int) -> None:
        """Have the same numbers as another row of that length."""
        self.numbers[self.at : self.at + length] = other.numbers[other.at : other.at + length]

    def part(self, place: int, length: int) -> list[float]:
        """So many numbers from `place` on."""
        return list(self.numbers[self.at + place : self.at + place + length])

    def stat(self, place: int) -> "Stat":
        """The six numbers from `place` on, as one measured quantity."""
        return Stat(self.numbers, self.at + place)


class Stat:
    """A quantity: how often it was seen, its extremes, and its integral over time."""

    __slots__ = ("_at", "_numbers")

    def __init__(self, numbers: "memoryview[float]", at: int) -> None:
        self._numbers = numbers
        self._at = at

    def see(self, value: float) -> None:
        """It has this value now."""
        n, at = self._numbers, self._at
        seen = n[at]
        n[at] = seen + 1
        n[at + 1] += value
        if not seen or value < n[at + 4]:
            n[at + 4] = value
        if not seen or value > n[at + 5]:
            n[at + 5] = value

    def last(self, mean: float, seconds: float) -> None:
        """It had that mean for so long."""
        self._numbers[self._at + 2] += seconds
        self._numbers[self._at + 3] += mean * seconds

    @property
    def seen(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self._numbers[self._at])

    @property
    def seconds(self) -> float:
        """How long it was watched."""
        return self._numbers[self._at + 2]

    @property
    def integral(self) -> float:
        """Value times seconds."""
        return self._numbers[self._at + 3]

    @property
    def low(self) -> float:
        """The least that was seen."""
        return self._numbers[self._at + 4]

    @property
    def high(self) -> float:
        """The most that was seen."""
        return self._numbers[self._at + 5]

    @property
    def mean(self) -> float:
        """Over time; of what was seen, where no two moments followed each other."""
        if self.seconds > 0:
            return self.integral / self.seconds
        return float(self._numbers[self._at + 1]) / float(self._numbers[self._at])


class JobSums:
    """A job's row. `slices` and `gpus` are in the order in which they were named."""

    __slots__ = ("_data", "gpus", "numbers", "slices")

    def __init__(self, data: bytearray) -> None:
        self._data = data
        self.numbers = memoryview(data).cast("d")
        slices, gpus = int(self.numbers[SLICES]), int(self.numbers[GPUS])
        self.slices = [Row(self.numbers, _HEAD + number * SLICE) for number in range(slices)]
        first = _HEAD + slices * SLICE
        self.gpus = [Row(self.numbers, first + number * GPU) for number in range(gpus)]

    def seal(self) -> tuple[int, bytearray]:
        """Where in the file these numbers go next, and what is written there."""
        numbers = self.numbers
        numbers[SEQUENCE] += 1
        numbers[_CRC] = 0.0
        numbers[_CRC] = float(crc32(self._data))
        return int(numbers[SEQUENCE]) % 2 * len(self._data), self._data

    @property
    def size(self) -> int:
        """Bytes of the file: two halves."""
        return 2 * len(self._data)


def new(keys: list[Key], period_s: float) -> JobSums:
    """Of a job with these slices, of which nothing is known yet."""
    minors = list(dict.fromkeys(minor for minor, _, _ in keys))
    data = bytearray(8 * (_HEAD + len(keys) * SLICE + len(minors) * GPU))
    numbers = memoryview(data).cast("d")
    numbers[_IS], numbers[PERIOD_S] = _MAGIC, period_s
    numbers[SLICES], numbers[GPUS] = float(len(keys)), float(len(minors))
    sums = JobSums(data)
    for row, key in zip(sums.slices, keys, strict=True):
        row[GPU_MINOR], row[GI_ID], row[CI_ID] = map(float, key)
    for row, minor in zip(sums.gpus, minors, strict=True):
        row[_GPU] = float(minor)
    return sums


def key_of(row: Row) -> Key:
    """Whose row of a job it is."""
    return int(row[GPU_MINOR]), int(row[GI_ID]), int(row[CI_ID])


def read(file: bytes) -> JobSums | None:
    """The newest whole state in a hand-over file; None where there is none."""
    size = len(file) // 2
    halves = [_half(bytearray(half)) for half in (file[:size], file[size:])]
    return max((half for half in halves if half), key=_sequence, default=None)


def _sequence(sums: JobSums) -> float:
    return float(sums.numbers[SEQUENCE])


def _half(data: bytearray) -> JobSums | None:
    if len(data) < 8 * _HEAD or len(data) % 8:
        return None
    with memoryview(data).cast("d") as numbers:
        crc, slices, gpus = numbers[_CRC], numbers[SLICES], numbers[GPUS]
        size = _SIZES.get(numbers[_IS])
        if size is None or len(numbers) != _HEAD + slices * size + gpus * GPU:
            return None
        numbers[_CRC] = 0.0
        if crc != crc32(data):
            return None
    return JobSums(data if size == SLICE else _widened(data, int(slices)))


_SIZES = {_MAGIC_1: _SLICE_1, _MAGIC: SLICE}


def _widened(data: bytearray, slices: int) -> bytearray:
    """What a monitor of version 1 knows: of its slices there is no curve."""
    old, end = 8 * _SLICE_1, 8 * (_HEAD + slices * _SLICE_1)
    rows = [data[at : at + old] + bytes(8 * SLICE - old) for at in range(8 * _HEAD, end, old)]
    wide = data[: 8 * _HEAD] + b"".join(rows) + data[end:]
    with memoryview(wide).cast("d") as numbers:
        numbers[_IS] = _MAGIC
    return wide
