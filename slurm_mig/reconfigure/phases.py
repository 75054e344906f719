"""The phases on the node itself: STOP, PARTITION, PUBLISH, START, VERIFY, COMMIT; and RESUME."""

from slurm_mig.errors import JournalError, SlurmMigError
from slurm_mig.gpu.change import transaction
from slurm_mig.reconfigure import drained
from slurm_mig.reconfigure import record as records
from slurm_mig.reconfigure.drained import must_drain
from slurm_mig.reconfigure.record import FORMER
from slurm_mig.reconfigure.run import Run
from slurm_mig.reconfigure.waiting import holding, told
from slurm_mig.reconfigure.world import Types
from slurm_mig.slurm.controller.client import NodeState

_SLACK_S = 2.0  # between the clocks of slurmd's start, here and as slurmctld tells it
_AGAIN_S = 10.0  # then slurmctld is told once more
_TRIES = 3


class Stuck(SlurmMigError):
    """The GPUs are neither as wanted nor as before."""


def stop(run: Run) -> None:
    """slurmd may keep NVML open (24.11), and would start what it is told to."""
    run.world.slurmd.stop()


def partition(run: Run) -> None:
    """`slurm-mig apply`, with its own journal, going back and worker."""
    _nobody_came(run)
    goal = run.record.goal
    run.note(changed=True)
    result = run.world.gpus.change(run.record.wanted(goal), back=goal == FORMER)
    for remark in result.remarks:
        run.remark(remark)
    if result.outcome in (transaction.STUCK, transaction.REBOOT):
        raise Stuck(f"{result.problem}: {result.next_step}")
    if result.outcome == transaction.FORMER and goal != FORMER:
        raise SlurmMigError(result.problem)


def publish(run: Run) -> None:
    """Tell Slurm: gres.conf, and `Gres=` by the node's way."""
    _nobody_came(run)
    record = run.record
    run.world.publisher.publish(record.run_id, record.notes, back=record.goal == FORMER)


def start(run: Run) -> None:
    """slurmd reads gres.conf, and from then on denies jobs what they were not given."""
    run.world.slurmd.start(run.start_words())


def verify(run: Run) -> None:
    """slurmctld has what slurmd has, and that is what lives: types, counts and files.

    A slurmd that ends meanwhile gets one more try: in a container any process that ends beside
    its start can end it too (docs/findings.md).
    """
    types = run.types = run.world.publisher.types(run.record.notes)
    limit_s, pauses = run.world.options.register_s, run.world.short_pauses()
    end = run.world.clock() + limit_s
    again: float | None = run.world.clock() + min(_AGAIN_S, limit_s / 4)
    started_again = False
    while wrong := _unlike(run, _reasoned(run), types):
        if not run.world.slurmd.runs():
            ended = f"slurmd has ended ({run.world.slurmd.last_words() or 'see its log'})"
            if started_again:
                raise SlurmMigError(ended)
            started_again = True
            run.remark(f"{ended}: it was started once more")
            start(run)
        if run.world.clock() > end:
            raise SlurmMigError(f"after {limit_s:g} s {wrong}")
        if again is not None and run.world.clock() > again:
            again = None
            _tell_again(run, wrong)
        run.going_on(wrong)
        pauses.pause()
    for warning in run.world.slurmd.renew_map():
        run.remark(warning)


def _tell_again(run: Run, wrong: str) -> None:
    """A slurmctld that was killed may have forgotten what it was told, and who registered."""
    run.remark(f"slurmctld was told once more, because {wrong}")
    for phase in (stop, publish, start):
        phase(run)


def is_verified(run: Run) -> bool:
    """Whether `verify` would have nothing to wait for."""
    try:
        types = run.world.publisher.types(run.record.notes)
        if not run.world.slurmd.runs() or _unlike(run, run.node(), types):
            return False
        run.world.slurmd.renew_map()
    except SlurmMigError:
        return False
    return True


def resume(run: Run) -> None:
    """Give the node back, if nobody but us had drained it, as it was verified.

    A slurmctld that was killed since may have come back with what a dynamic node had before its
    deletion. Between the look and the resume lies one command: so it is looked at once more.
    """
    for _ in range(_TRIES):
        if _other(run):
            verify(run)
        if not drained.is_to_be_resumed(run):
            return
        if not (wrong := into_service(run)):
            return
    raise SlurmMigError(wrong)


def into_service(run: Run) -> str:
    """Resume it; "", or why it was drained again: slurmctld has other than what lives."""
    run.world.client.resume(run.record.node)
    drained.until_back(run)
    if wrong := _other(run):
        run.world.client.drain(run.record.node, run.record.reason)
    return wrong


def _other(run: Run) -> str:
    """What slurmctld has of a dynamic node that does not live. Of others slurm.conf tells it."""
    publisher, notes = run.world.publisher, run.record.notes
    if not publisher.needs_it_empty(notes):
        return ""
    types = publisher.types(notes) if run.types is None else run.types
    return unlike_types(run.record.node, run.node(), types)


def _reasoned(run: Run) -> NodeState | None:
    node = run.node()
    if node is not None:
        drained.give_reason(run, node)
    return node


def commit(run: Run) -> None:
    """It is over: the record goes."""
    try:
        run.world.publisher.end(run.record.run_id)
        records.close(run.world.root, run.record)
    except JournalError as why:  # the node is right all the same
        run.remark(str(why))


def _unlike(run: Run, node: NodeState | None, types: Types) -> str:
    """In what slurmctld's node differs from what it should have; empty: in nothing."""
    name = run.record.node
    if node is None:
        return f"slurmctld knows no node {name} yet"
    if wrong := unlike_types(name, node, types):
        return wrong
    started = run.world.slurmd.started()
    old = node.slurmd_start is None or (started or 0) > node.slurmd_start + _SLACK_S
    if old or not node.answers:
        return f"{name} has not registered since its slurmd started"
    return ""


def unlike_types(name: str, node: NodeState | None, types: Types) -> str:
    """In which types slurmctld's node differs from what it should have; "": in none."""
    if node is None:
        return f"slurmctld knows no node {name}"
    if node.registered_badly:
        return f"slurmctld refuses what {name} has: {node.reason}"
    if (has := gpu_types(node)) != types:
        return f"slurmctld has {_shown(has)} of {name}, which has {_shown(types)}"
    return ""


def gpu_types(node: NodeState) -> Types:
    """The gpus that slurmctld believes the node to have."""
    gpus = (gres for gres in node.gres if gres.name == "gpu" and gres.number)
    return {gres.type or "": gres.number for gres in gpus}


def _shown(types: Types) -> str:
    return ",".join(f"{kind}:{count}" for kind, count in types.items()) or "no gpus"


def _nobody_came(run: Run) -> None:
    """A job that came since was given slices as they were: then it gets them."""
    if run.record.goal == FORMER:
        return
    must_drain(run)
    if jobs := holding(run):
        raise SlurmMigError(f"{told(jobs)}, since slurmd was stopped")
