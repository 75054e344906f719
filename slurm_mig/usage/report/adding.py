"""Sums over rows that are in no database: the same as the database's own. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from slurm_mig.usage.store.asking import Total
from slurm_mig.usage.store.nouns import Held, Job, Slice

_HOUR_S = 3600.0


def added(rows: Iterable[Held], by: Sequence[str]) -> list[Total]:
    """What query.totals() would say of these rows."""
    keys_of = [_KEYS[name] for name in by]
    sums: dict[tuple[str | None, ...], _Sums] = {}
    for row in rows:
        key = tuple(key_of(row) for key_of in keys_of)
        sums.setdefault(key, _Sums()).add(row)
    totals = [one.total(key) for key, one in sums.items()]
    return sorted(totals, key=lambda one: (-one.slice_hours, [name or "" for name in one.key]))


def day_of(job: Job) -> str | None:
    """The UTC day on which the job ended."""
    if job.end is None:
        return None
    try:
        return datetime.fromtimestamp(job.end, UTC).strftime("%Y-%m-%d")
    except (OverflowError, ValueError, OSError):  # no year of this calendar
        return None


_KEYS: dict[str, Callable[[Held], str | None]] = {
    "user": lambda row: row.job.user,
    "account": lambda row: row.job.account,
    "partition": lambda row: row.job.partition,
    "profile": lambda row: row.slice.profile,
    "node": lambda row: row.job.node,
    "day": lambda row: day_of(row.job),
    "gpu_name": lambda row: row.slice.gpu_name,
    "cluster": lambda row: row.job.cluster,
}


@dataclass
class _Mean:
    """A mean weighted by seconds."""

    weighted: float = 0.0
    seconds: float = 0.0

    def add(self, value: float | None, seconds: float | None) -> None:
        if value is not None and seconds:
            self.weighted += value * seconds
            self.seconds += seconds

    @property
    def mean(self) -> float | None:
        return self.weighted / self.seconds if self.seconds else None


def _new_mean(_: str) -> _Mean:
    return _Mean()


_ACTIVITIES = ("graphics_mean", "sm_mean", "tensor_mean", "dram_bandwidth_mean")


@dataclass
class _Sums:
    """The running sums of one group."""

    jobs: set[tuple[str | None, int]] = field(default_factory=set)
    records: set[str] = field(default_factory=set)
    slices: int = 0
    held_s: float = 0.0
    unknown: int = 0
    sampled_s: float = 0.0
    memory: _Mean = field(default_factory=_Mean)
    peak_share: float | None = None
    peak_mib: float | None = None
    activities: tuple[_Mean, ...] = field(
        default_factory=lambda: tuple(_Mean() for _ in _ACTIVITIES)
    )
    activity_s: float = 0.0
    idle: _Mean = field(default_factory=_Mean)
    joules: float | None = None
    joules_s: float = 0.0

    def add(self, row: Held) -> None:
        job, one = row
        self.jobs.add((job.cluster, job.job_id))
        self.records.add(job.record_id)
        self.slices += 1
        if job.duration_s is None:
            self.unknown += 1
        else:
            self.held_s += job.duration_s
        self.sampled_s += one.sampled_s or 0.0
        self._add_memory(one)
        self._add_activity(one)
        if one.processes_mean is not None:
            self.idle.add(max(0.0, 1.0 - one.processes_mean), one.sampled_s)
        if one.energy_joules is not None:
            self.joules = (self.joules or 0.0) + one.energy_joules
            self.joules_s += job.duration_s or 0.0

    def _add_memory(self, one: Slice) -> None:
        self.peak_mib = _most(self.peak_mib, one.memory_peak_mib)
        if one.memory_mib:
            if one.memory_mean_mib is not None:
                self.memory.add(one.memory_mean_mib / one.memory_mib, one.sampled_s)
            if one.memory_peak_mib is not None:
                self.peak_share = _most(self.peak_share, one.memory_peak_mib / one.memory_mib)

    def _add_activity(self, one: Slice) -> None:
        if one.activity_shared_gi is not False:
            return
        for name, mean in zip(_ACTIVITIES, self.activities, strict=True):
            mean.add(getattr(one, name), one.activity_sampled_s)
        self.activity_s += one.activity_sampled_s or 0.0

    def total(self, key: tuple[str | None, ...]) -> Total:
        """What it has come to."""
        graphics, sm, tensor, dram_bandwidth = (one.mean for one in self.activities)
        return Total(
            key=key,
            jobs=len(self.jobs),
            records=len(self.records),
            slices=self.slices,
            slice_hours=self.held_s / _HOUR_S,
            hours_unknown=self.unknown,
            sampled_hours=self.sampled_s / _HOUR_S,
            memory_mean_share=self.memory.mean,
            memory_peak_share=self.peak_share,
            memory_peak_mib=self.peak_mib,
            graphics_mean=graphics,
            sm_mean=sm,
            tensor_mean=tensor,
            dram_bandwidth_mean=dram_bandwidth,
            activity_hours=self.activity_s / _HOUR_S,
            idle_hours=self.idle.weighted / _HOUR_S if self.idle.seconds else None,
            processes_hours=self.idle.seconds / _HOUR_S,
            energy_joules=self.joules,
            energy_hours=self.joules_s / _HOUR_S,
        )


def _most(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)
