"""What a comment needs of a usage record. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

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


def part_of(record: Mapping[str, Any]) -> JobPart:
    """The part of a closed record. ValueError where it is not one."""
    try:
        return JobPart(
            record["cluster"] or None,
            _whole(record["job_id"]),
            _whole(record["restarts"] or 0),
            str(record["node"]),
            record["start"],
            record["end"],
            tuple(map(_gpu, record["slices"])),
        )
    except (KeyError, TypeError, AttributeError) as why:
        raise ValueError(f"not a usage record: {why!r}") from None


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


def _gpu(one: Mapping[str, Any]) -> GpuPart:
    usage = one.get("usage") or {}
    memory, activity = usage.get("memory") or {}, usage.get("activity") or {}
    # Of a GPU instance that others share too, the activity is not the job's.
    busy = None if activity.get("shared_gi") else activity.get("graphics")
    return GpuPart(
        _whole(one["gpu_minor"]),
        one["gi_id"],
        one["ci_id"],
        _bytes(one["memory_mib"]),
        _bytes(memory.get("peak_mib")),
        None if busy is None else float(busy["mean"]),
    )


def _bytes(mib: float | None) -> int | None:
    return None if mib is None else round(mib * _MIB)


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no number")
    return value
