"""The node is kept out of service, and given back: DRAIN, and what RESUME may do.

Whose drain it is, the record and the reason say together. A reason alone says nothing: 24.11 and
later overwrite it when a node registers badly, and leave stale ones on nodes that are well.
"""

from collections.abc import Iterator
from contextlib import suppress

from slurm_mig.errors import SlurmMigError
from slurm_mig.reconfigure import reserved
from slurm_mig.reconfigure.record import FORMER, Record
from slurm_mig.reconfigure.run import Run, one_line
from slurm_mig.slurm.controller.client import NodeState, SlurmClient

_LONGEST = 160  # of a reason: accounting keeps 255 bytes, and a terminal shows fewer
# Of an earlier run too: a slurmctld that was killed comes back with what it had last saved.
_OURS = "slurm-mig re"
# How slurmctld itself begins the reason of a node that it finds wanting.
_SLURMS = ("gres/", "Not responding", "Node unexpectedly rebooted")
# And where a job could not be started, or cleaned up after: in SMOKE only ours run.
_OF_JOBS = ("Prolog error", "Epilog error", "batch job complete failure", "Kill task failed")
_BACK_S = 30.0
_AGAIN_S = 5.0
REBOOT_ISSUED = "REBOOT_ISSUED"


def reason(run_id: str, what: str) -> str:
    """Why we drain a node; the first words, which `sinfo` shows, say whose drain it is."""
    return one_line(f"{begins(run_id)} to {what}; if it stopped: slurm-mig recover", _LONGEST)


def way_on(record: Record) -> str:
    """The command that goes on, and where."""
    recover = f"`slurm-mig recover` on {record.node}"
    if record.fleet is None:
        return recover
    resume = f"`slurm-mig reconfigure --resume` on {record.begun_on}"
    # Where slurm.conf is not this node's to write, it can do no more by itself.
    return resume if record.phase == "PUBLISH" else f"{recover}, or {resume}"


def is_ours(record: Record, node: NodeState) -> bool:
    """Whether the drain of a drained node is the one that we set, and nobody's since."""
    named = node.reason.startswith((_OURS, *_SLURMS)) or _is_of_test_jobs(record, node)
    return record.drained and (named or not node.reason)


def not_done(run_id: str, problem: str) -> str:
    """Why a node stays drained that has what it had: nobody but this reason could tell."""
    return one_line(f"{begins(run_id)} not done, as before: {problem}", _LONGEST)


def begins(run_id: str) -> str:
    """How each reason of a run begins, but for that of a node that must be recovered."""
    return f"slurm-mig reconfigure [{run_id}]"


def take_over(client: SlurmClient, node: NodeState, reason: str) -> None:
    """Make an ordinary drain of a reboot that slurmctld has issued, if any. Raises SlurmMigError.

    Else slurmctld would take the node into service as soon as any slurmd of it says that it
    booted, after a power loss too, whatever it has then. Only a resume ends that [seen: 22.05.8,
    24.11.5, 26.05.5]. Until the drain follows the node has what slurmctld believes, and for the
    most part it does not even answer; a job that comes in between is waited for like any other.
    """
    if REBOOT_ISSUED in node.state:
        client.resume(node.name)
        client.drain(node.name, reason)


def take_over_for(run: Run) -> None:
    """The same for a run whose first phases are passed over."""
    node = run.node()
    if node is not None and REBOOT_ISSUED in node.state:
        run.note(drained=True)
        take_over(run.world.client, node, run.record.reason)


def _is_of_test_jobs(record: Record, node: NodeState) -> bool:
    return record.reserved and node.reason.startswith(_OF_JOBS)


def drain(run: Run) -> None:
    """Have the node take no more jobs. Somebody else's drain stays his."""
    node = run.node()
    if node is not None and not node.drains:
        run.empty_since = None
    if node is not None and REBOOT_ISSUED in node.state:
        take_over_for(run)
    elif node is not None:
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


def is_to_be_resumed(run: Run) -> bool:
    """Whether nobody but us has drained the node; else it has its reason, and stays as it is."""
    reserved.sweep(run)
    node = run.node()
    if node is None:
        raise SlurmMigError(f"slurmctld knows no node {run.record.node}")
    if not node.drains:
        return False
    record, theirs = run.record, run.record.theirs
    if not is_ours(record, node):
        if theirs is None:
            run.remark(f"{node.name} was drained by somebody else ({node.reason}): it stays so")
        return False
    if record.goal == FORMER and run.world.options.keep_what_failed:
        before = f" (drained before: {theirs})" if theirs else ""
        why = not_done(record.run_id, f"{record.problem}{before}")
        run.world.client.set_reason(node.name, why)
        return False
    if theirs is not None:
        run.world.client.set_reason(node.name, theirs)
        return False
    return True


def give_reason(run: Run, node: NodeState) -> None:
    """To a dynamic node that came back drained: 22.05 takes no reason from slurmd."""
    if node.drains and not node.reason:
        run.world.client.set_reason(node.name, run.reason)


def keep(run: Run, problem: str) -> Iterator[str]:
    """Have the node stay drained with a reason that names the next command; what did not work."""
    record = run.record
    way, where = "recover", ""
    if record.fleet is not None and record.phase == "PUBLISH":
        way, where = "reconfigure --resume", f" on {record.begun_on}"
    what = f"slurm-mig {way} [{record.run_id}]{where}: {record.phase} failed: {problem}"
    why = one_line(what, _LONGEST)
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
    else:
        with suppress(SlurmMigError):
            _say_again(run, why)


def _say_again(run: Run, why: str) -> None:
    """24.11 and later put their own reason over ours when a node registers badly, as it may now."""
    end, pauses = run.world.clock() + _AGAIN_S, run.world.pauses()
    while (node := run.node()) is not None and run.world.clock() < end:
        if node.drains and node.reason.startswith(_SLURMS):
            return run.world.client.set_reason(node.name, why)
        if node.answers and not node.registered_badly:
            return None
        pauses.pause()
    return None


def until_back(run: Run) -> None:
    """Until slurmctld reaches the node that was resumed, or a remark that it does not."""
    end, pauses = run.world.clock() + _BACK_S, run.world.short_pauses()
    while (node := run.node()) is not None and (node.drains or not node.answers):
        if node.registered_badly:
            return
        if run.world.clock() > end:
            states = "+".join(sorted(node.state))
            run.remark(f"{node.name} is {states} {_BACK_S:g} s after it was resumed")
            return
        pauses.pause()
