"""The phase SMOKE: a test job on each slice that the node has, before it takes others.

The node is reserved for them, resumed, tested, and drained again: RESUME gives it back, as it
does without a test. They hold their slices until all have told, so that each slice has its job.
"""

from collections.abc import Collection, Iterator

from slurm_mig.errors import SlurmMigError
from slurm_mig.reconfigure import drained, phases, reserved
from slurm_mig.reconfigure.record import TARGET
from slurm_mig.reconfigure.run import Run
from slurm_mig.reconfigure.verdict import judge
from slurm_mig.reconfigure.world import World
from slurm_mig.slurm.controller.client import Batch, NodeState


def is_wanted(run: Run) -> bool:
    """Not of what was before: that was in service."""
    return run.record.smoke and run.record.goal == TARGET


def hindrances(world: World, node: NodeState) -> Iterator[str]:
    """Why there can be no test jobs, said before anything is touched."""
    if not world.options.smoke:
        return
    if world.client.config().get("disablerootjobs", "").upper() == "YES":
        yield "no test job can run (--smoke): this cluster has DisableRootJobs=YES"
    for one in reserved.others(world, node.name):
        yield f"no test job can run (--smoke): {node.name} is in reservation {one.name}"


def smoke(run: Run) -> None:
    """Raises SlurmMigError where a job got what it did not ask for, or told nothing in time."""
    node = run.node()
    if node is None:
        raise SlurmMigError(f"slurmctld knows no node {run.record.node}")
    if run.record.theirs is not None or not drained.is_ours(run.record, node):
        run.remark(f"no test jobs: {node.name} was drained by somebody else")
        return
    if not node.drains:
        run.remark(f"no test jobs: somebody has resumed {node.name}")
        return
    if found := reserved.others(run.world, node.name, but=reserved.name_of(run)):
        raise SlurmMigError(f"{node.name} is in reservation {found[0].name}: no test job can run")
    reserved.reserve(run)
    if wrong := phases.into_service(run):
        raise SlurmMigError(wrong)
    # A resume takes the reason away (22.05), and whoever looks meanwhile is to know what this is.
    run.world.client.set_reason(node.name, run.record.reason)
    _listen(run, _submit(run, node))
    drained.drain(run)


def _submit(run: Run, node: NodeState) -> dict[int, str]:
    """By job the type that it asks for."""
    trials, name = run.world.trials, reserved.name_of(run)
    partition, script = trials.partition(node), trials.begin(run.record.run_id)
    minutes = int(run.world.options.smoke_s // 60) + 2
    asked = {}
    for number, place in trials.places().items():
        gres = f"gpu:{place.type}:1" if place.type else "gpu:1"
        batch = Batch(f"{name}_{number}", node.name, partition, gres, name, script, minutes)
        asked[run.world.client.submit(batch)] = place.type
    return asked


def _listen(run: Run, asked: dict[int, str]) -> None:
    trials, run_id = run.world.trials, run.record.run_id
    places = trials.places()
    limit_s, began, pauses = run.world.options.smoke_s, run.world.clock(), run.world.short_pauses()
    while True:
        said = trials.said(run_id)
        if wrong := list(judge(asked, said, places)):
            raise SlurmMigError(f"test jobs: {'; '.join(wrong)}")
        if not (silent := asked.keys() - said.keys()):
            return
        _must_still_come(run, silent)
        text = f"{len(silent)} of {len(asked)} test jobs have told nothing"
        if run.world.clock() - began > limit_s:
            raise SlurmMigError(f"{text} after {limit_s:g} s (job {min(silent)})")
        run.going_on(text)
        pauses.pause()


def _must_still_come(run: Run, silent: Collection[int]) -> None:
    client, node = run.world.client, run.record.node
    state = client.node(node)
    if state.drains:
        raise SlurmMigError(f"{node} was drained while test jobs ran: {state.reason}")
    there = {job.job_id for job in (*client.pending_jobs(), *client.jobs_on(node))}
    gone = set(silent) - there
    if gone and (lost := gone - run.world.trials.said(run.record.run_id).keys()):
        raise SlurmMigError(f"test job {min(lost)} ended and told nothing")
