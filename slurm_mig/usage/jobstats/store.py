"""Jobs' figures into Slurm's accounting database, as their AdminComment."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from slurm_mig.errors import Refused, SlurmError, SlurmNotAnswering
from slurm_mig.slurm.controller.accounting import KEEPS_CASE, AccountedJob, Accounting
from slurm_mig.usage.jobstats.decide import Decision, Options, decide
from slurm_mig.usage.jobstats.parts import JobPart, last_runs

_BATCH = 200  # jobs a question

Runs = dict[tuple[str | None, int], dict[str, JobPart]]


class Outcome(NamedTuple):
    """What became of one job: stored, present, kept, waits, skipped, failed.

    With `dry_run`: would-store.
    """

    job_id: int
    cluster: str | None
    action: str
    why: str


def store_comments(
    parts: Iterable[JobPart], accounting: Accounting, options: Options, now: float | None = None
) -> Iterator[Outcome]:
    """Store what can be stored, and say of each job what was done.

    Refused, before the first change, where this Slurm would spoil the comments. Raises
    SlurmNotAnswering where the database does not answer: then running it again goes on.
    """
    release = accounting.version()
    if release < KEEPS_CASE:
        why = f"sacctmgr of Slurm {release} makes it lower case, which destroys it"
        raise Refused("AdminComment", [f"{why}: Slurm 23.02 or later is needed"])
    runs = last_runs(parts)
    for cluster in sorted({cluster for cluster, _ in runs}, key=lambda name: name or ""):
        jobs = iter(sorted(job_id for of, job_id in runs if of == cluster))
        while batch := list(islice(jobs, _BATCH)):
            yield from _batch(accounting, cluster, batch, runs, options, now or time.time())


def _batch(
    accounting: Accounting,
    cluster: str | None,
    job_ids: Sequence[int],
    runs: Runs,
    options: Options,
    now: float,
) -> Iterator[Outcome]:
    known = _jobs(accounting, cluster, job_ids)
    decided = {
        job_id: decide(runs[cluster, job_id], known.get(job_id), now, options) for job_id in job_ids
    }
    if not options.dry_run:
        decided = {job_id: _kept(accounting, cluster, one) for job_id, one in decided.items()}
        decided = _verified(accounting, cluster, decided)
    for job_id, decision in decided.items():
        action = "would-store" if decision.action == "store" else decision.action
        yield Outcome(job_id, cluster, action, decision.why)


def _kept(accounting: Accounting, cluster: str | None, decision: Decision) -> Decision:
    if decision.action != "store":
        return decision
    try:
        accounting.set_admin_comment(decision.shown, cluster, decision.comment)
    except SlurmNotAnswering:
        raise
    except SlurmError as why:
        return Decision("failed", str(why))
    return decision._replace(action="stored")


def _verified(
    accounting: Accounting, cluster: str | None, decided: Mapping[int, Decision]
) -> dict[int, Decision]:
    """Only what reads back as it was written is stored."""
    stored = [job_id for job_id, decision in decided.items() if decision.action == "stored"]
    found = _jobs(accounting, cluster, stored)
    spoilt = {
        job_id: Decision("failed", "it does not read back as it was written")
        for job_id in stored
        if job_id not in found or found[job_id].comment != decided[job_id].comment
    }
    return {**decided, **spoilt}


def _jobs(
    accounting: Accounting, cluster: str | None, job_ids: Sequence[int]
) -> Mapping[int, AccountedJob]:
    return accounting.jobs(job_ids, cluster) if job_ids else {}
