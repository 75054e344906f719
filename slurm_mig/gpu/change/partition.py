"""A plan as a transaction: afterwards the GPUs are as wanted or as before, or it says which.

Whatever happens, kill -9 or power loss too, the journal says how to go on (recover.py).
"""

from collections.abc import Mapping, Sequence

from slurm_mig.errors import JournalError, Refused, SlurmMigError
from slurm_mig.gpu.change import committed, journal
from slurm_mig.gpu.change.attempt import FORMER as GO_BACK
from slurm_mig.gpu.change.attempt import TARGET, Attempt
from slurm_mig.gpu.change.bounded import Progress, Pulse, WorkerLost
from slurm_mig.gpu.change.compare import differences, gpu_text
from slurm_mig.gpu.change.ending import ended, stopped, told
from slurm_mig.gpu.change.execute import LOOKING, RebootNeeded
from slurm_mig.gpu.change.journal import Journal, JournalGpu
from slurm_mig.gpu.change.recover import after_loss
from slurm_mig.gpu.change.transaction import DONE, FORMER, NOTHING, Ports, Result
from slurm_mig.gpu.partitioning import LiveGpu, WantedGpu
from slurm_mig.gpu.planning.plan import GpuPlan
from slurm_mig.gpu.present.survey import Seen, survey_each
from slurm_mig.system import epoch

_REFUSED = "nothing was changed"


def apply(
    plans: Sequence[GpuPlan], ports: Ports, wanted: Mapping[str, WantedGpu] | None = None
) -> Result:
    """Carry out plans made of a look a moment ago, one a GPU; those without steps are committed.

    `wanted`, by GPU UUID: needed for plans that are `unsolved`. The caller holds the node's lock,
    by a flock (the worker inherits it), and has no NVML session open.
    Raises Refused, NvmlError, JournalError or OSError when nothing was changed. All later trouble
    is in the Result: see transaction.py for the outcomes. What interrupts it, or is a bug, comes
    out after all went back, with a note of how that ended.
    """
    _refuse(plans, wanted or {})
    if not any(plan.steps for plan in plans):
        return _commit_only(plans, ports)
    began = ports.clock()
    begun = False

    def watch(progress: Progress) -> None:
        nonlocal begun
        begun = begun or progress.total > 0
        ports.watch(progress)

    try:
        result = ports.run(lambda pulse: _apply(plans, wanted or {}, ports, pulse), watch)
    except WorkerLost as lost:
        result = _after_loss(plans, ports, lost, begun)
    except (KeyboardInterrupt, OSError, RuntimeError) as why:  # the last two are bugs of ours
        why.add_note(told(after_loss(ports, SlurmMigError("interrupted"))))
        raise
    return result._replace(seconds=ports.clock() - began)


def _after_loss(plans: Sequence[GpuPlan], ports: Ports, why: WorkerLost, begun: bool) -> Result:
    if journal.read(ports.root) is None and not begun:
        raise SlurmMigError(f"{why}: {_REFUSED}")
    result = after_loss(ports, why)
    if result.outcome != NOTHING:
        return result
    # It was lost when all was done and the journal away: it had verified one of the two ends.
    there = ports.run(lambda pulse: _look(ports, pulse), ports.watch).by_uuid()
    uuids = {plan.gpu.info.uuid: plan.former for plan in plans if plan.steps}
    back = all(uuid in there and not differences(there[uuid], uuids[uuid]) for uuid in uuids)
    return Result(FORMER if back else DONE, str(why))


def _refuse(plans: Sequence[GpuPlan], wanted: Mapping[str, WantedGpu]) -> None:
    problems = [problem for plan in plans for problem in plan.problems]
    problems += [
        f"{gpu_text(plan.gpu)}: what is wanted is not told"
        for plan in plans
        if plan.unsolved and plan.gpu.info.uuid not in wanted
    ]
    uuids = [plan.gpu.info.uuid for plan in plans]
    if len(set(uuids)) != len(uuids):
        problems.append("a GPU has two plans")
    if problems:
        raise Refused(_REFUSED, problems)


def _apply(
    plans: Sequence[GpuPlan], wanted: Mapping[str, WantedGpu], ports: Ports, pulse: Pulse
) -> Result:
    before = _look(ports, pulse)
    _refuse_if_changed(plans, before)
    committed.read(ports.root)  # what cannot be read could not be committed either
    work = [plan for plan in _in_order(plans) if plan.steps]
    rest = {plan.gpu.info.uuid: plan.gpu.layout for plan in plans if not plan.steps}
    entry = _first_entry(work, wanted, ports)
    journal.begin(ports.root, entry)
    try:
        epoch.next_generation(str(ports.root))
    except BaseException:
        journal.close(ports.root)
        raise
    attempt = Attempt(ports, pulse, entry, before)
    attempt.work.total = sum(len(plan.steps) for plan in work)
    try:
        return _go(attempt, {plan.gpu.info.uuid: plan for plan in work}, rest, ports)
    finally:
        attempt.work.close()


def _go(
    attempt: Attempt, work: Mapping[str, GpuPlan], rest: committed.Layouts, ports: Ports
) -> Result:
    try:
        made = attempt.reach(TARGET, work)
        committed.save(ports.root, {**rest, **made})
    except (RebootNeeded, journal.Overtaken) as why:
        return stopped(attempt, why)
    except (SlurmMigError, OSError) as why:
        return _back(attempt, why, ports)
    return ended(attempt, ports.root, DONE)


def _back(attempt: Attempt, why: Exception, ports: Ports) -> Result:
    try:
        attempt.reach(GO_BACK)
    except (SlurmMigError, OSError) as second:
        return stopped(attempt, second, first=why)
    return ended(attempt, ports.root, FORMER, str(why))


def _look(ports: Ports, pulse: Pulse) -> Seen:
    pulse(Progress(LOOKING), ports.bounds.call_s)
    with ports.session() as nvml:
        return survey_each(nvml)


def _refuse_if_changed(plans: Sequence[GpuPlan], before: Seen) -> None:
    there = before.by_uuid()
    changed = [
        f"{gpu_text(plan.gpu)} {_why_not(plan.gpu, there, before)}: plan again"
        for plan in plans
        if there.get(plan.gpu.info.uuid) != plan.gpu
    ]
    if changed:
        raise Refused(_REFUSED, changed)


def _why_not(gpu: LiveGpu, there: Mapping[str, LiveGpu], before: Seen) -> str:
    if gpu.info.uuid in there:
        return "is no longer as it was when this was planned"
    return f"does not answer ({'; '.join(before.unseen.values()) or 'it is gone from the bus'})"


def _commit_only(plans: Sequence[GpuPlan], ports: Ports) -> Result:
    """All is as wanted, as the look showed of which the plans were made: no NVML call is made."""
    if journal.read(ports.root) is not None:
        raise JournalError("an apply is not at its end: run `slurm-mig recover`")
    committed.save(ports.root, {plan.gpu.info.uuid: plan.gpu.layout for plan in plans})
    return Result(NOTHING)


def _in_order(plans: Sequence[GpuPlan]) -> list[GpuPlan]:
    """Changes of MIG mode first: one that needs a reboot stops all before much was changed."""
    return sorted(plans, key=lambda plan: (not plan.needs_reset, plan.gpu.info.gpu_index))


def _first_entry(work: Sequence[GpuPlan], wanted: Mapping[str, WantedGpu], ports: Ports) -> Journal:
    gpus = tuple(
        JournalGpu(
            plan.gpu.info.uuid,
            plan.former,
            plan.target,
            wanted[plan.gpu.info.uuid] if plan.unsolved else None,
        )
        for plan in work
    )
    return Journal(journal.new_id(), epoch.boot_id(str(ports.root)), journal.APPLYING, gpus)
