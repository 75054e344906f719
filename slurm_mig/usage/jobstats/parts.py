"""What a comment needs of the usage records. Pure."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from slurm_mig.usage.store.nouns import Held, Slice

_MIB = 1 << 20


class GpuPart(NamedTuple):
    """One slice, or whole GPU (`gi_id` is None), that a job had on a node. Unknown is None."""

    gpu_minor: int
    gi_id: int | None
    ci_id: int | None
    total_bytes: int | None
    peak_bytes: int | None
    busy: float | None  # mean share of the time, 0..1


class JobPart(NamedTuple):
    """What one record says of a job on one node."""

    cluster: str | None
    job_id: int
    restarts: int
    node: str
    start: float | None
    end: float | None
    gpus: tuple[GpuPart, ...]


def parts_of(rows: Iterable[Held]) -> Iterator[JobPart]:
    """The records of these rows, of which those of one record stand together.

    A record without a node, or a slice without its GPU, is of no use to anybody and left out.
    """
    for _, mine in groupby(rows, key=lambda row: row.job.record_id):
        held = list(mine)
        job = held[0].job
        if job.node is not None:
            gpus = tuple(gpu for row in held if (gpu := _gpu(row.slice)) is not None)
            yield JobPart(
                job.cluster, job.job_id, job.restarts or 0, job.node, job.start, job.end, gpus
            )


def last_runs(parts: Iterable[JobPart]) -> dict[tuple[str | None, int], dict[str, JobPart]]:
    """By cluster and job, its nodes' parts of the last run that there is a record of."""
    runs: dict[tuple[str | None, int], dict[str, JobPart]] = {}
    for part in parts:
        nodes = runs.setdefault((part.cluster, part.job_id), {})
        known = next(iter(nodes.values()), part)
        if part.restarts > known.restarts:
            nodes.clear()
        elif part.restarts < known.restarts:
            continue
        nodes[part.node] = part
    return runs


def _gpu(one: Slice) -> GpuPart | None:
    if one.gpu_minor is None:
        return None
    # Of a GPU instance that others share too, the activity is not the job's.
    busy = None if one.activity_shared_gi else one.graphics_mean
    total, peak = _bytes(one.memory_mib), _bytes(one.memory_peak_mib)
    return GpuPart(one.gpu_minor, one.gi_id, one.ci_id, total, peak, busy)


def _bytes(mib: float | None) -> int | None:
    return None if mib is None else round(mib * _MIB)
