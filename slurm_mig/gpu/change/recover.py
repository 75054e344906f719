"""After a crash, a kill or a reboot: bring an apply that did not end to one of its two ends.

Same boot: on to the target; where that cannot be, back to the former. Not a step where all GPUs
are at one of the two already. After a reboot no geometry is left, and what was not verified was
never committed: to the former. Only where a MIG mode waited for that very reboot, to the target.
"""

from slurm_mig.errors import SlurmMigError
from slurm_mig.gpu.change import committed, journal, transaction
from slurm_mig.gpu.change.attempt import FORMER, TARGET, Attempt
from slurm_mig.gpu.change.bounded import Progress, Pulse, WorkerLost
from slurm_mig.gpu.change.ending import ended, lost, stopped
from slurm_mig.gpu.change.execute import LOOKING, RebootNeeded
from slurm_mig.gpu.change.journal import APPLYING, Journal
from slurm_mig.gpu.change.transaction import Ports, Result
from slurm_mig.gpu.present.survey import survey_each
from slurm_mig.system import epoch


def recover(ports: Ports, *, undo: bool = False) -> Result:
    """End what an apply left; NOTHING where no apply is open. May be run again and again.

    `undo`: only back to the former. The caller holds the node's lock and has no NVML session
    open. Raises JournalError, NvmlError or OSError when nothing was changed.
    """
    began = ports.clock()
    try:
        result = ports.run(lambda pulse: _recover(ports, pulse, undo), ports.watch)
    except WorkerLost as why:
        result = lost(str(why))
    return result._replace(seconds=ports.clock() - began)


def after_loss(ports: Ports, why: SlurmMigError) -> Result:
    """Go back by a fresh worker when an apply's was lost on the way; NOTHING: it was at its end."""
    if isinstance(why, WorkerLost) and not why.gone:
        return lost(str(why))  # its last call may still take effect: nothing may be built on that
    try:
        result = ports.run(lambda pulse: _recover(ports, pulse, undo=True), ports.watch)
    except SlurmMigError as second:
        return lost(f"{why}; then, going back: {second}")
    return result._replace(problem="; ".join(filter(None, (str(why), result.problem))))


def _recover(ports: Ports, pulse: Pulse, undo: bool) -> Result:
    found = journal.read(ports.root)
    if found is None:
        journal.sweep(ports.root)
        return Result(transaction.NOTHING)
    pulse(Progress(LOOKING), ports.bounds.call_s)
    with ports.session() as nvml:
        before = survey_each(nvml)
    now = epoch.boot_id(str(ports.root))
    ours = journal.take_over(ports.root, found._replace(boot_id=now))
    epoch.next_generation(str(ports.root))
    attempt = Attempt(ports, pulse, ours, before)
    try:
        if attempt.is_at(TARGET, before):
            goals = [TARGET]
        elif attempt.is_at(FORMER, before):
            goals = [FORMER]
        else:
            goals = _goals(found, rebooted=found.boot_id != now, undo=undo)
        return _to_one_of(goals, attempt, ports)
    finally:
        attempt.work.close()


def _goals(found: Journal, *, rebooted: bool, undo: bool) -> list[str]:
    if undo:
        return [FORMER]
    if rebooted:
        return [TARGET if found.reboot and found.state == APPLYING else FORMER]
    return [TARGET, FORMER] if found.state == APPLYING else [FORMER, TARGET]


def _to_one_of(goals: list[str], attempt: Attempt, ports: Ports) -> Result:
    """To the first of the goals that can be reached."""
    first: Exception | None = None
    for goal in goals:
        try:
            made = attempt.reach(goal)
            if goal == TARGET:
                committed.save(ports.root, made)
            outcome = transaction.DONE if goal == TARGET else transaction.FORMER
            return ended(attempt, ports.root, outcome, str(first or ""))
        except (RebootNeeded, journal.Overtaken) as why:
            return stopped(attempt, why, first)
        except (SlurmMigError, OSError) as why:
            if goal == goals[-1]:
                return stopped(attempt, why, first)
            first = why
    raise AssertionError("there is a goal always")
