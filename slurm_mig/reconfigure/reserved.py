"""The reservation that keeps all jobs but our test jobs out, and its end.

A job starts on a node in service only. So that no other one comes, the node is reserved before it
is resumed, without an end: whoever is killed meanwhile leaves a node that takes nobody's jobs.
The record says `reserved` before there is a reservation, and until there is none.
"""

import time
from collections.abc import Iterator
from typing import Final

from slurm_mig.errors import SlurmMigError, SlurmRefused
from slurm_mig.reconfigure.run import Run
from slurm_mig.reconfigure.world import World
from slurm_mig.slurm.controller.client import Job, Reservation

OURS: Final = "slurm-mig_"  # how the names of all of them begin


def name_of(run: Run) -> str:
    """Of the reservation; its jobs' names begin so too.

    A node in service shows no reason, but this: so it names the command that goes on.
    """
    return f"{OURS}recover_{run.record.run_id}"


def others(world: World, node: str, but: str = "") -> list[Reservation]:
    """The reservations that the node is in, now or soon: their jobs might come into ours."""
    soon = time.time() + 2 * world.options.smoke_s
    return [
        one
        for one in world.client.reservations()
        if node in one.nodes and one.name != but and (one.active or (one.start or 0) < soon)
    ]


def reserve(run: Run) -> None:
    """Have the reservation, in force. Raises SlurmMigError."""
    client, name, node = run.world.client, name_of(run), run.record.node
    run.note(reserved=True)
    if _ours(run) is None:
        client.reserve(name, node)
    end, pauses = run.world.clock() + run.world.options.smoke_s, run.world.short_pauses()
    # It begins "now" by this machine's clock: slurmctld's may be behind.
    while (found := _ours(run)) is None or not found.active:
        if found is None or run.world.clock() > end:
            raise SlurmMigError(f"reservation {name} of {node} is not in force")
        pauses.pause()


def sweep(run: Run) -> None:
    """End what there is of the reservation and its jobs; the node is drained, or was resumed.

    Raises SlurmMigError where a job does not end. Where no slurmd runs, none can end: then it is
    left for later.
    """
    if not run.record.reserved:
        return
    run.world.trials.end(run.record.run_id)
    end, pauses = run.world.clock() + run.world.options.smoke_s, run.world.short_pauses()
    while left := list(_jobs(run)):
        for job in left:
            run.world.client.cancel(job)
        if not run.world.slurmd.runs():
            break
        if run.world.clock() > end:
            told = ", ".join(job.shown for job in left)
            raise SlurmMigError(f"test jobs {told} do not end")
        pauses.pause()
    run.world.trials.end(run.record.run_id)  # of those that were just about to tell something
    try:
        run.world.client.release(name_of(run))
    except SlurmRefused:
        if left:
            return
        raise
    run.note(reserved=False)


def _ours(run: Run) -> Reservation | None:
    found = (one for one in run.world.client.reservations() if one.name == name_of(run))
    return next(found, None)


def _jobs(run: Run) -> Iterator[Job]:
    client, node = run.world.client, run.node()
    there = client.pending_jobs() if node is None else (
        *client.pending_jobs(), *client.jobs_on(node.name)
    )  # fmt: skip
    ours = f"{name_of(run)}_"
    return (job for job in there if job.user == "root" and job.name.startswith(ours))
