"""The phase WAIT: for which jobs a reconfigure waits, and until when."""

import time
from collections.abc import Sequence

from slurm_mig.errors import SlurmMigError
from slurm_mig.reconfigure.drained import must_drain
from slurm_mig.reconfigure.run import Run
from slurm_mig.slurm.controller.client import Job

_SHOWN = 4


def wait(run: Run) -> None:
    """Until no job holds a GRES of the node."""
    began, cancelled, pauses = run.world.clock(), False, run.world.pauses()
    while True:
        must_drain(run)
        if jobs := holding(run):
            run.empty_since = None
            waited_s = run.world.clock() - began
            cancelled = _wait_for(run, jobs, waited_s, cancelled=cancelled)
        elif not _may_be_forgotten(run):
            return
        else:
            run.going_on("until slurmctld has saved that it is drained")
        pauses.pause()


def _wait_for(run: Run, jobs: Sequence[Job], waited_s: float, *, cancelled: bool) -> bool:
    """Tell for whom, as long as they may; whether they were cancelled."""
    run.going_on(told(jobs))
    limit = run.world.options.timeout_s
    if limit is not None and waited_s >= limit:
        raise SlurmMigError(f"after {limit:g} s {told(jobs)}: give them more time")
    return cancelled or cancel_in_time(run, jobs, waited_s)


def _may_be_forgotten(run: Run) -> bool:
    """Whether a slurmctld that is killed could come back with a dynamic node that is in service.

    It would be the one of before, with slices that are no more, and take its jobs with it. What
    slurm.conf says of a node cannot be forgotten.
    """
    if not run.world.publisher.needs_it_empty(run.record.notes) or run.node() is None:
        return False
    if run.empty_since is None:
        run.empty_since = run.world.clock()
    return run.world.clock() - run.empty_since < run.world.options.saved_s


def holds_gres(job: Job) -> bool:
    """Whether it holds any GRES; where nobody can tell, whether it asked for some."""
    return bool(job.gres_wanted if job.held is None else job.held)


def holding(run: Run) -> list[Job]:
    """The jobs that must end first: those with GRES there, or all where the node must be empty."""
    if run.node() is None:
        return []
    jobs = run.world.client.jobs_on(run.record.node)
    empty = run.world.publisher.needs_it_empty(run.record.notes)
    return [job for job in jobs if empty or holds_gres(job)]


def told(jobs: Sequence[Job]) -> str:
    """Who is waited for, on one line."""
    shown = [told_one(job) for job in jobs[:_SHOWN]]
    more = [f"{len(jobs) - _SHOWN} more"] if len(jobs) > _SHOWN else []
    return f"waiting for {', '.join([*shown, *more])}"


def told_one(job: Job) -> str:
    """A job, its owner, and until when it may run."""
    return f"job {job.shown} of {job.user} ({job.name}){_until(job)}"


def job_json(job: Job) -> dict[str, object]:
    """The same for programs."""
    return {
        "job_id": job.job_id,
        "shown": job.shown,
        "user": job.user,
        "name": job.name,
        "end_time": job.end_time,
    }


def cancel_in_time(run: Run, jobs: Sequence[Job], waited_s: float) -> bool:
    """Cancel them when their time is up; whether it was."""
    limit = run.world.options.cancel_after_s
    if limit is None or waited_s < limit:
        return False
    for job in jobs:
        run.world.client.cancel(job)
        run.remark(f"job {job.shown} of {job.user} was cancelled after {limit:g} s")
    return True


def _until(job: Job) -> str:
    if job.end_time is None:
        return ", without a limit"
    return f", until {time.strftime('%Y-%m-%d %H:%M', time.localtime(job.end_time))} at most"
