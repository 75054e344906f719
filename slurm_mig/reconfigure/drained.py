"""The phases that keep the node out of service, and give it back: DRAIN, WAIT, RESUME.

Whose drain it is, the record and the reason say together. A reason alone says nothing: 24.11 and
later overwrite it when a node registers badly, and leave stale ones on nodes that are well.
"""

from collections.abc import Iterator
from contextlib import suppress

from slurm_mig.errors import SlurmMigError
from slurm_mig.reconfigure import reserved
from slurm_mig.reconfigure.record import FORMER, Record
from slurm_mig.reconfigure.run import Run, one_line
from slurm_mig.reconfigure.waiting import cancel_in_time, holding, told
from slurm_mig.slurm.controller.client import NodeState

_LONGEST = 160  # of a reason: accounting keeps 255 bytes, and a terminal shows fewer
# Of an earlier run too: a slurmctld that was killed comes back with what it had last saved.
_OURS = "slurm-mig re"
# How slurmctld itself begins the reason of a node that it finds wanting.
_SLURMS = ("gres/", "Not responding", "Node unexpectedly rebooted")
# And where a job could not be started, or cleaned up after: in SMOKE only ours run.
_OF_JOBS = ("Prolog error", "Epilog error", "batch job complete failure", "Kill task failed")
_BACK_S = 30.0


def reason(run_id: str, what: str) -> str:
    """Why we drain a node; the first words, which `sinfo` shows, say whose drain it is."""
    return one_line(
        f"slurm-mig reconfigure [{run_id}] to {what}; if it stopped: slurm-mig recover", _LONGEST
    )


def is_ours(record: Record, node: NodeState) -> bool:
    """Whether the drain of a drained node is the one that we set, and nobody's since."""
    named = node.reason.startswith((_OURS, *_SLURMS)) or _is_of_test_jobs(record, node)
    return record.drained and (named or not node.reason)


def _is_of_test_jobs(record: Record, node: NodeState) -> bool:
    return record.reserved and node.reason.startswith(_OF_JOBS)


def drain(run: Run) -> None:
    """Have the node take no more jobs. Somebody else's drain stays his."""
    node = run.node()
    if node is not None:
        _drain(run, node)
    reserved.sweep(run)


def _drain(run: Run, node: NodeState) -> None:
    ours = node.reason.startswith(_OURS) or _is_of_test_jobs(run.record, node)
    # What slurmctld has against it is just what is about to be made right.
    ours = ours or (node.registered_badly and node.reason.startswith("gres/"))
    if not node.drains or (run.record.theirs is None and ours):
        run.note(drained=True, theirs=None)
        run.world.client.drain(node.name, run.record.reason)
    else:
        _note_theirs(run, node)


def _note_theirs(run: Run, node: NodeState) -> None:
    if not is_ours(run.record, node) and run.record.theirs is None:
        run.note(theirs=node.reason or "drained without a reason")
        run.remark(f"{node.name} was drained by somebody else ({node.reason}): it stays so")


def wait(run: Run) -> None:
    """Until no job holds a GRES of the node."""
    began, cancelled, pauses = run.world.clock(), False, run.world.pauses()
    while True:
        must_drain(run)
        jobs = holding(run)
        if not jobs:
            return
        run.going_on(told(jobs))
        waited = run.world.clock() - began
        limit = run.world.options.timeout_s
        if limit is not None and waited >= limit:
            raise SlurmMigError(f"after {limit:g} s {told(jobs)}: give them more time")
        cancelled = cancelled or cancel_in_time(run, jobs, waited)
        pauses.pause()


def must_drain(run: Run) -> None:
    """Raises SlurmMigError where somebody has resumed the node.

    Where somebody has drained it anew, that is written down: a dynamic node is about to be
    deleted, and his drain with it.
    """
    node = run.node()
    if node is None:
        return
    if node.drains:
        _note_theirs(run, node)
    elif run.record.goal != FORMER:
        raise SlurmMigError(f"somebody has resumed {node.name} meanwhile")


def resume(run: Run) -> None:
    """Give the node back, if nobody but us had drained it."""
    reserved.sweep(run)
    node = run.node()
    if node is None:
        raise SlurmMigError(f"slurmctld knows no node {run.record.node}")
    if not node.drains:
        return
    if run.record.theirs is not None:
        if is_ours(run.record, node):
            run.world.client.set_reason(node.name, run.record.theirs)
        return
    if not is_ours(run.record, node):
        run.remark(f"{node.name} was drained by somebody else ({node.reason}): it stays so")
        return
    run.world.client.resume(node.name)
    until_back(run)


def keep(run: Run, problem: str) -> Iterator[str]:
    """Have the node stay drained with a reason that names the next command; what did not work."""
    record = run.record
    why = one_line(
        f"slurm-mig recover [{record.run_id}]: {record.phase} failed: {problem}", _LONGEST
    )
    with suppress(Exception):
        run.note(drained=True)
    try:
        node = run.node()
        if node is not None and not (node.drains and node.reason == why):
            run.world.client.drain(node.name, why)
    except SlurmMigError as error:
        yield f"its reason could not be set ({error})"
    try:
        reserved.sweep(run)
    except (SlurmMigError, OSError) as error:
        yield f"reservation {reserved.name_of(run)} stays ({error})"
    # Jobs without GRES run on, but slurmctld ends them where no slurmd answers for long.
    try:
        run.world.slurmd.start(run.start_words())
    except (SlurmMigError, OSError) as error:
        yield f"slurmd does not run ({error})"


def until_back(run: Run) -> None:
    """Until slurmctld reaches the node that was resumed, or a remark that it does not."""
    end, pauses = run.world.clock() + _BACK_S, run.world.short_pauses()
    while (node := run.node()) is not None and (node.drains or not node.answers):
        if run.world.clock() > end:
            states = "+".join(sorted(node.state))
            run.remark(f"{node.name} is {states} {_BACK_S:g} s after it was resumed")
            return
        pauses.pause()
