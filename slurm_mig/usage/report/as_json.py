"""What a program reads of a report: version 1. Unknown is null, ratios are 0 to 1."""

from collections.abc import Iterable, Sequence
from typing import Any

from slurm_mig.usage.report import idle, sizing
from slurm_mig.usage.report.idle import Idle
from slurm_mig.usage.report.job import JobUsage, Run, Used
from slurm_mig.usage.report.overview import Overview
from slurm_mig.usage.report.sizing import Advice
from slurm_mig.usage.store.asking import Total

VERSION = 1
Tree = dict[str, Any]


def overview_json(
    found: Overview, since: float | None, until: float | None, problems: Sequence[str]
) -> Tree:
    """The overview; `problems` are what could not be read."""
    return {
        "version": VERSION,
        "by": found.by,
        "since": since,
        "until": until,
        "rules": {"right_size": sizing.RULE, "uncertain": sizing.DOUBT, "idle": idle.RULE},
        "total": None if found.total is None else _total(found.total),
        "groups": [{"key": one.key[0], **_total(one)} for one in found.groups],
        "days": [{"day": one.key[0], **_total(one)} for one in found.days],
        "right_sizing": [one._asdict() for one in found.sizing],
        "idle": {
            "slices": found.idle_count,
            "longest": [
                {
                    "job_id": one.row.job.job_id,
                    "user": one.row.job.user,
                    "node": one.row.job.node,
                    "end": one.row.job.end,
                    "duration_s": one.row.job.duration_s,
                    "slice": one.row.slice._asdict(),
                    "idle": one.idle._asdict(),
                }
                for one in found.holders
            ],
        },
        "problems": list(problems),
    }


def _total(total: Total) -> Tree:
    return {name: value for name, value in total._asdict().items() if name != "key"}


def jobs_json(job_id: int, jobs: Iterable[JobUsage], problems: Sequence[str]) -> Tree:
    """All jobs of that id, and what could not be read."""
    return {
        "version": VERSION,
        "job_id": job_id,
        "rules": {"right_size": sizing.RULE, "uncertain": sizing.DOUBT, "idle": idle.RULE},
        "jobs": [
            {"cluster": one.cluster, "uid": one.uid, "runs": [_run(run) for run in one.runs]}
            for one in jobs
        ],
        "problems": list(problems),
    }


def _run(run: Run) -> Tree:
    return {**run.job._asdict(), "slices": [_used(used) for used in run.slices]}


def _used(used: Used) -> Tree:
    return {
        **used.slice._asdict(),
        "curve": None if used.curve is None else used.curve._asdict(),
        "advice": _advice(used.advice),
        "idle": None if used.idle is None else _idle(used.idle),
    }


def _advice(advice: Advice) -> Tree:
    return {**advice._asdict(), "doubts": list(advice.doubts)}


def _idle(found: Idle) -> Tree:
    return found._asdict()
