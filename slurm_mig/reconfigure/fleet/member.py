"""One node of many: the same loop, by order of the machine where the run was begun.

It may be ordered again and again, whatever ended it: it goes on where the record on its disk says,
and says how it is. What it does for hours (waiting for jobs), it does alone.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from slurm_mig.errors import JournalError, NoSuchNode, Refused, SlurmMigError
from slurm_mig.gpu.change.nodelock import only_one
from slurm_mig.gpu.change.prepare import Request
from slurm_mig.gpu.config.migconfig import resolve
from slurm_mig.gpu.config.migyaml import parse
from slurm_mig.reconfigure import begin, drained, entry, loop
from slurm_mig.reconfigure import record as records
from slurm_mig.reconfigure.begin import Chooser, Prospect
from slurm_mig.reconfigure.fleet.holding import PUBLISHED, TOUCHED
from slurm_mig.reconfigure.fleet.wire import HELD, READY, REFUSED, Order, Report
from slurm_mig.reconfigure.loop import Ended
from slurm_mig.reconfigure.publisher import DELETES
from slurm_mig.reconfigure.record import FORMER, Record
from slurm_mig.reconfigure.run import Run
from slurm_mig.reconfigure.world import Notes, World
from slurm_mig.slurm.controller.client import SlurmClient
from slurm_mig.system import epoch

UNDOES = "undoes"  # in the notes: what is undone was not of this run, and that is what it wants
_BEFORE = ("DRAIN", "WAIT")  # slurmd is stopped
_SLACK_S = 3600.0  # for another member of the same run to come to its end, beyond the jobs' time


class Machine(NamedTuple):
    """This one: its name, and what of it is to be published."""

    host: str
    gres: Callable[[Notes], str]
    block: Callable[[Notes], str]


def obey(world: World, request: Request, order: Order, machine: Machine) -> Report:
    """Carry an order out, as far as it can be. Whatever goes wrong is reported."""
    wait_s = (world.options.timeout_s or 0.0) + _SLACK_S
    try:
        must_be_here(world.client, order.node, machine.host)
        # Another member of this run may be at it, whose connection was lost: it ends first.
        with only_one(world.root, wait_s, *entry.LOCK):
            return _obey(world, request, order, machine)
    except (SlurmMigError, OSError) as why:
        return _stopped(world.root, order, str(why))


def prospect(world: World, request: Request, order: Order, here: str) -> Prospect:
    """What it would do on the machine of that name. Raises SlurmMigError."""
    must_be_here(world.client, order.node, here)
    if not order.rollback:
        entry.must_be_none_open(world.root)
    return begin.look(world, request, order.node, _chooser(world.root, order), whom=False)


def must_be_here(client: SlurmClient, node: str, here: str) -> None:
    """Raises Refused where the machine of the name `here` is not the node."""
    if node in (here, here.partition(".")[0]):
        return
    try:
        known = client.node(node).host_name
    except NoSuchNode as why:
        raise Refused("nothing was changed", [str(why)]) from None
    if known.partition(".")[0] != here.partition(".")[0]:
        raise Refused("nothing was changed", [f"this machine is {here}, and not {node}"])


def _obey(world: World, request: Request, order: Order, machine: Machine) -> Report:
    found = records.read(world.root)
    if found is None:
        if (last := _ended(world.root, order)) is not None:
            return last
        return _begin(world, request, order, machine)
    run = Run(world, records.take_over(world.root, _ours(found, order)))
    said = {PUBLISHED: order.published} if order.published else {}
    touched = {TOUCHED: "yes"} if order.touched else {}
    run.note(notes={**run.record.notes, **said, **touched})
    undo = order.undo or _undoes(run.record)
    ended = loop.recover(run, undo=undo, first=_first(run), until=_until(run, order))
    return _report(run, ended, machine)


def _begin(world: World, request: Request, order: Order, machine: Machine) -> Report:
    if order.undo:
        return Report(loop.BACK)
    found = begin.look(world, request, order.node, _chooser(world.root, order), whom=False)
    if found.nothing:
        return Report(entry.NOTHING)
    found = entry.marked(found) if order.rollback else found
    fleet = begin.Fleet(order.run_id, order.begun_on)
    run = Run(world, begin.open_record(world, order.node, _what(order), found, fleet))
    return _report(run, loop.forward(run, until=_until(run, order)), machine)


def _stopped(root: Path, order: Order, problem: str) -> Report:
    """What an error means: nothing was changed, or something of this run is open."""
    next_step = ""
    with suppress(JournalError):
        found = records.read(root)
        if found is None or found.fleet != order.run_id:
            return Report(REFUSED, problem=problem)
        next_step = f"mend what is named, then run {drained.way_on(found)}"
    return Report(loop.STAYS, problem=problem, next_step=next_step)


def _ours(found: Record, order: Order) -> Record:
    """The open record as this run's. Raises JournalError where it is another's."""
    if found.fleet == order.run_id:
        return found
    if not order.rollback:
        raise JournalError(
            f"a reconfigure of {found.node} to {found.what} is not at its end ({found.phase}): "
            "run `slurm-mig recover` there, or give --rollback"
        )
    notes = {**found.notes, UNDOES: "yes"}
    return found._replace(fleet=order.run_id, begun_on=order.begun_on, notes=notes)


def _ended(root: Path, order: Order) -> Report | None:
    """How this run has ended here; None where it has not been here."""
    last = records.read(root, records.LAST)
    if last is None or last.fleet != order.run_id:
        return None
    back = last.goal == FORMER and not _undoes(last)
    return Report(loop.BACK if back else loop.DONE, last.goal, problem=last.problem or "")


def _first(run: Run) -> str | None:
    """Slurm has been told: what comes before was done, unless the machine was started anew."""
    record = run.record
    told = record.phase == "PUBLISH" and record.notes.get(PUBLISHED) == record.goal
    return "PUBLISH" if told and record.boot_id == epoch.boot_id(str(run.world.root)) else None


def _until(run: Run, order: Order) -> str | None:
    """A dynamic node waits for nobody, and one whose slurmd stands still waits no longer."""
    record = run.record
    waits = order.waits and record.notes.get("way") not in DELETES
    return "STOP" if waits and record.phase in _BEFORE else None


def _report(run: Run, ended: Ended, machine: Machine) -> Report:
    outcome, record = ended.outcome, run.record
    if outcome == loop.BACK and _undoes(record):
        outcome = loop.DONE
    made = Report(
        outcome,
        record.goal,
        record.notes.get("way", ""),
        problem=ended.problem,
        next_step=ended.next_step,
        took=ended.took,
        remarks=ended.remarks,
    )
    if outcome != loop.HELD:
        return made
    if record.phase in _BEFORE:
        return made._replace(outcome=READY)
    gres, block = machine.gres(record.notes), machine.block(record.notes)
    return made._replace(outcome=HELD, gres=gres, block=block)


def _chooser(root: Path, order: Order) -> Chooser:
    if order.rollback:
        return entry.as_before(records.read(root) or entry.last_one(root))
    wanted = parse(order.text.encode(), "the order")
    return lambda gpus: resolve(wanted, order.label, gpus)


def _what(order: Order) -> str:
    return "what was before" if order.rollback else order.label


def _undoes(record: Record) -> bool:
    return UNDOES in record.notes
