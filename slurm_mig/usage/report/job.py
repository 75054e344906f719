"""The records of one job id, put together: its starts, its nodes, its slices."""

from collections.abc import Iterable
from typing import NamedTuple

from slurm_mig.usage.report.idle import Idle, idle
from slurm_mig.usage.report.sizing import Advice, advise
from slurm_mig.usage.store.nouns import Curve, Curves, Held, Job, Slice


class Used(NamedTuple):
    """A slice, and what there is to say of it."""

    slice: Slice
    advice: Advice
    idle: Idle | None
    curve: Curve | None = None


class Run(NamedTuple):
    """The job on one node, from one start."""

    job: Job
    slices: tuple[Used, ...]


class JobUsage(NamedTuple):
    """A job of one user; `runs` by start, then node. A requeued one has more than one start.

    Slurm begins its job ids anew some day, and clusters count for themselves: one id can be
    several jobs.
    """

    job_id: int
    cluster: str | None
    uid: int | None
    runs: tuple[Run, ...]

    @property
    def starts(self) -> tuple[int, ...]:
        """The numbers of its restarts, from the first start on; 0 where none is told."""
        return tuple(sorted({run.job.restarts or 0 for run in self.runs}))

    @property
    def last(self) -> tuple[Run, ...]:
        """The runs of its last start."""
        return tuple(run for run in self.runs if (run.job.restarts or 0) == self.starts[-1])


def jobs(rows: Iterable[Held], curves: Curves | None = None) -> tuple[JobUsage, ...]:
    """The jobs that have rows, by job id, cluster and user; with those of their slices' curves."""
    known = curves or {}
    found: dict[str, tuple[Job, list[Slice]]] = {}
    for job, one in rows:
        found.setdefault(job.record_id, (job, []))[1].append(one)
    grouped: dict[tuple[int, str | None, int | None], list[Run]] = {}
    for job, slices in found.values():
        used = tuple(
            Used(one, advise(one), idle(one), known.get((job.record_id, one.position)))
            for one in slices
        )
        grouped.setdefault((job.job_id, job.cluster, job.uid), []).append(Run(job, used))
    ordered = sorted(grouped, key=lambda key: (key[0], key[1] or "", key[2] or 0))
    return tuple(JobUsage(*key, tuple(sorted(grouped[key], key=_place))) for key in ordered)


def _place(run: Run) -> tuple[int, float, str, str]:
    job = run.job
    return job.restarts or 0, job.start or job.end or 0.0, job.node or "", job.record_id
