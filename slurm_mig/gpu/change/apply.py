"""A change of this node's GPUs, from the look to the last device node.

lock -> what is open is at its end -> look -> plan -> preflight -> daemons stopped -> look again ->
the transaction (partition.py) -> daemons started. Whoever stops it anywhere finds either nothing
changed, or a journal from which `slurm-mig recover` goes on.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from slurm_mig.errors import JournalError, Refused, SlurmMigError
from slurm_mig.gpu.change import clients, committed, journal, preflight
from slurm_mig.gpu.change.bounded import Progress, Pulse
from slurm_mig.gpu.change.capnodes import Made, make_nodes, modprobe_of
from slurm_mig.gpu.change.ending import told
from slurm_mig.gpu.change.nodelock import only_one
from slurm_mig.gpu.change.prepare import (
    NOTHING_CHANGED,
    Prepared,
    Request,
    daemons,
    nobody_in_the_way,
    prepare,
)
from slurm_mig.gpu.change.reset import resetter
from slurm_mig.gpu.change.transaction import FORMER, NOTHING, Bounds, Ports, Result
from slurm_mig.gpu.nvml import adapter
from slurm_mig.gpu.partitioning import LiveGpu
from slurm_mig.gpu.planning.plan import GpuPlan
from slurm_mig.gpu.present.survey import survey_each

_MORE_S = 60.0  # after a site's own bound of a reset, until its process is killed


class Outcome(NamedTuple):
    """What was done. `result` says how it ended (transaction.py); `plans` what was to be done.

    `stopped`: the daemons that were stopped meanwhile; `troubles`: what went wrong besides, such
    as one of them that did not start again, or a device node that is missing.
    """

    result: Result
    plans: tuple[GpuPlan, ...] = ()
    stopped: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether all is as wanted."""
        return self.result.good and not self.troubles


def run(request: Request) -> Outcome:
    """Carry it out.

    Raises SlurmMigError or OSError when nothing was changed; all later trouble is in the Outcome.
    Whatever ends it, the daemons that were stopped are started again.
    """
    with _alone(request):
        earlier = _settle(request)
        if earlier is not None and not earlier.good:
            return earlier
        prepared = prepare(request)
        if prepared.problems:
            raise Refused(NOTHING_CHANGED, prepared.problems)
        if not any(each.steps for each in prepared.plans):
            return _nothing(request, prepared)
        from slurm_mig.gpu.change import partition  # dear, and not for those who change nothing

        units = daemons(request.settings, prepared)
        result: Result | None = None
        try:
            with clients.stopped(request.root, request.settings, units) as stopping:
                nobody_in_the_way(request, prepared.plans, stopping.units)
                result = partition.apply(prepared.plans, ports_of(request), prepared.wanted)
            return _finished(request, result, prepared, stopping)
        except KeyboardInterrupt as why:
            if result is not None:  # too late to go back
                why.add_note(told(result))
            raise


def run_recover(request: Request, *, undo: bool = False) -> Outcome:
    """Finish or undo what an apply left, and start the daemons that it stopped. Idempotent.

    Raises SlurmMigError or OSError when no GPU was changed.
    """
    with _alone(request):
        return _recover(request, undo=undo)


@contextmanager
def _alone(request: Request) -> Iterator[None]:
    if preflight.effective_uid() != 0:
        raise Refused(NOTHING_CHANGED, [preflight.NOT_ROOT])
    adapter.load()  # each step that asks NVML is a process of its own
    with only_one(request.root, request.settings.lock_timeout_s):
        yield


def _recover(request: Request, *, undo: bool = False) -> Outcome:
    from slurm_mig.gpu.change import recover

    settings = request.settings
    try:
        is_open = journal.read(request.root) is not None
    except JournalError as error:
        for problem in clients.start_again(request.root, settings):
            error.add_note(problem)
        raise
    # They may block what is to be done, and an apply that was killed had stopped them.
    units = [*settings.clients, *settings.clients_if_blocking] if is_open else []
    with clients.stopped(request.root, settings, units) as stopping:
        result = recover.recover(ports_of(request), undo=undo)
    return _finished(request, result, None, stopping)


def _settle(request: Request) -> Outcome | None:
    """Deal with an apply that is not at its end: at boot it is ended first, else it refuses."""
    if journal.read(request.root) is None:
        return None
    if request.choose is not None:
        raise JournalError("an apply is not at its end: run `slurm-mig recover`, then this again")
    ended = _recover(request)
    return ended if ended.result.outcome != FORMER else None


def _nothing(request: Request, prepared: Prepared) -> Outcome:
    """All is as wanted: that is committed, and what an earlier run left is put in order.

    No NVML is asked any more: this is to be as fast as a look.
    """
    gpus = [each.gpu for each in prepared.plans]
    if gpus:
        committed.save(request.root, {gpu.info.uuid: gpu.layout for gpu in gpus})
    with clients.stopped(request.root, request.settings, ()) as stopping:
        pass  # those that a killed run had stopped are started
    nodes = _make_nodes(request, (*gpus, *prepared.others))
    return _outcome(Result(NOTHING), prepared, stopping, nodes)


def ports_of(request: Request) -> Ports:
    """The outside world, for the transaction."""
    settings = request.settings
    return Ports(
        root=request.root,
        reset=resetter(settings),
        make_nodes=lambda root: _must_make_nodes(request),
        watch=request.watch,
        session=request.session,
        run=request.run,
        bounds=Bounds(reset_s=settings.reset_timeout_s + _MORE_S),
    )


def _finished(
    request: Request, result: Result, prepared: Prepared | None, stopping: clients.Stopping
) -> Outcome:
    """How it ended, with the device nodes of all that lives now; what is wrong stops nothing."""

    def work(pulse: Pulse) -> Made:
        pulse(Progress("making the device nodes"), Bounds().nodes_s)
        return _make_nodes_now(request)

    try:
        nodes = request.run(work, request.watch)
    except SlurmMigError as error:
        nodes = Made((), (f"the device nodes were not looked at: {error}",))
    return _outcome(result, prepared, stopping, nodes)


def _outcome(
    result: Result, prepared: Prepared | None, stopping: clients.Stopping, nodes: Made
) -> Outcome:
    missing = () if prepared is None else prepared.missing
    return Outcome(
        result=result,
        plans=() if prepared is None else prepared.plans,
        stopped=stopping.units,
        nodes=nodes.made,
        troubles=(*stopping.failed, *nodes.problems, *missing),
        remarks=result.remarks,
    )


def _make_nodes_now(request: Request) -> Made:
    """In a worker."""
    with request.session() as nvml:
        gpus = survey_each(nvml).gpus
    return _make_nodes(request, gpus)


def _make_nodes(request: Request, gpus: Sequence[LiveGpu]) -> Made:
    modprobe = modprobe_of(request.settings, request.root)
    return make_nodes(request.root, gpus, request.settings, modprobe)


def _must_make_nodes(request: Request) -> None:
    """Have them all, or raise Refused: then the transaction goes back. In a worker."""
    problems = _make_nodes_now(request).problems
    if problems and request.settings.make_nodes != "off":
        raise Refused("device nodes could not be made", problems)
