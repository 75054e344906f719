"""What a run would cost in GPU-hours out of service: an estimate, and what it assumes. Pure.

A node takes no jobs from the beginning of its wave until the last node of the wave is changed, for
Slurm is told of them together. Jobs end by their time limits at the latest, and mostly sooner: so
there are two numbers, and the truth is between them.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from slurm_mig.reconfigure.fleet.engine import Look

CHANGE_S = 60.0  # a node, beside the wait for its jobs
ASSUMES = (
    f"{CHANGE_S:g} s a wave beside waiting for jobs; at least: as if all jobs ended at once; at "
    "most: as if each ran to its time limit, and every GPU of a waiting node stood idle"
)


class Estimate(NamedTuple):
    """GPU-hours and hours; None where a job has no time limit, or a node was not looked at.

    `gpu_hours_at_most` is None too where a node may have more GPUs than Slurm tells.
    """

    gpu_hours_at_least: float | None
    gpu_hours_at_most: float | None
    hours_at_most: float | None


def estimate(waves: Sequence[Sequence[str]], looks: Mapping[str, Look], now: float) -> Estimate:
    """Of these waves, one after the other."""
    if any(look.problem or look.told["gpu_count"] is None for look in looks.values()):
        return Estimate(None, None, None)
    least = most = 0.0
    exact = True
    elapsed: float | None = 0.0
    for wave in waves:
        changing = [looks[name] for name in wave if _is_out(looks[name])]
        exact = exact and all(look.told.get("exact", True) for look in changing)
        gpus = sum(int(look.told["gpu_count"]) for look in changing)
        least += gpus * CHANGE_S if changing else 0.0
        waits = [_wait_s(look, now, elapsed) for look in changing]
        if elapsed is None or None in waits:
            elapsed = None
            continue
        lasts = max((wait for wait in waits if wait is not None), default=-CHANGE_S) + CHANGE_S
        most += gpus * lasts
        elapsed += lasts
    known = elapsed is not None
    return Estimate(
        least / 3600,
        most / 3600 if known and exact else None,
        elapsed / 3600 if elapsed is not None else None,
    )


def _is_out(look: Look) -> bool:
    """Whether it is out of service at all: by Slurm's reboots every node is."""
    return bool(look.told["changes"] or "unknown" in look.told)


def _wait_s(look: Look, now: float, elapsed: float | None) -> float | None:
    """How long its jobs may go on after its wave has begun; None: nobody knows."""
    ends = [job["end_time"] for job in look.told["jobs"]]
    if elapsed is None or None in ends:
        return None
    return max([0.0, *(float(end) - now - elapsed for end in ends)])
