"""The usage record of one job on one node, as a dict that JSON can hold. Pure and light.

Version 1. Unknown is None, never 0. Times are Unix seconds; a duration is measured on a clock
that does not step.
"""

VERSION = 1

Record = dict[str, object]


def opened(
    record_id: str, job: Record, slices: list[Record], *, start: float | None, complete: bool
) -> Record:
    """A record whose job has begun; `job` are its names and numbers (JOB_KEYS)."""
    return {
        "version": VERSION,
        "record_id": record_id,
        **{key: job.get(key) for key in JOB_KEYS},
        "start": start,
        "end": None,
        "duration_s": None,
        "exit_code": None,
        "signal": None,
        "exit_unknown_why": None,
        "slices": slices,
        "complete": complete,
        "leftovers": None,
        "device_check": None,
        "power": [],
    }


JOB_KEYS = (
    "job_id", "restarts", "uid", "user", "account", "partition", "cluster", "node",
)  # fmt: skip


def slice_identity(entry: Record, boot_id: str, generation: int) -> Record:
    """Which slice it was, for ever: `entry` is its object of the gres map."""
    mig = entry["mig"]
    mine: Record = mig if isinstance(mig, dict) else {}
    return {
        "gpu_uuid": entry["gpu_uuid"],
        "gpu_minor": entry["gpu_minor"],
        "gpu_name": entry["gpu_name"],
        "type": entry["type"],
        "gres_index": entry["gres_index"],
        "gi_id": mine.get("gi_id"),
        "ci_id": mine.get("ci_id"),
        "profile": mine.get("profile"),
        "placement": mine.get("placement"),
        "mig_uuid": mine.get("uuid"),
        "memory_mib": mine.get("memory_mib"),
        "sm_count": mine.get("sm_count"),
        "boot_id": boot_id,
        "generation": generation,
        "repartitioned": None,
        "usage": None,
    }


def closed(
    record: Record,
    *,
    end: float | None,
    duration_s: float | None,
    exit_code: int | None,
    signal: int | None,
    exit_unknown_why: str | None,
    repartitioned: list[bool | None],
    leftovers: int | None,
) -> Record:
    """The record of a job that has ended; `repartitioned` goes with its slices, in order.

    `leftovers` counts the processes that had to be ended; None: nobody looked.
    """
    slices = record["slices"]
    assert isinstance(slices, list)  # noqa: S101 (a record is made by `opened`)
    marked = [
        {**one, "repartitioned": mark} for one, mark in zip(slices, repartitioned, strict=True)
    ]
    return {
        **record,
        "end": end,
        "duration_s": duration_s,
        "exit_code": exit_code,
        "signal": signal,
        "exit_unknown_why": exit_unknown_why,
        "slices": marked,
        "leftovers": leftovers,
    }
