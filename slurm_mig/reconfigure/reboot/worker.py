"""What is done for an order while the node stands still for Slurm: the loop, and then an end.

slurmctld has drained and emptied the node, and has it DOWN with a reboot issued. However this
ends, that is over then: the node is in service with what was wanted, or it stays drained, and its
reason says why. So whoever waits for it sees by slurmctld alone how it went.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from slurm_mig.errors import SlurmMigError
from slurm_mig.gpu.change.nodelock import only_one
from slurm_mig.gpu.change.prepare import Request
from slurm_mig.gpu.config.migconfig import resolve, select
from slurm_mig.gpu.config.migyaml import parse
from slurm_mig.gpu.partitioning import LiveGpu, WantedGpu
from slurm_mig.model import GpuIndex
from slurm_mig.reconfigure import begin, drained, entry, loop
from slurm_mig.reconfigure import record as records
from slurm_mig.reconfigure.begin import Chooser
from slurm_mig.reconfigure.entry import LOCK, NOTHING
from slurm_mig.reconfigure.loop import Ended
from slurm_mig.reconfigure.reboot import orders
from slurm_mig.reconfigure.reboot.desired import Order, Wanted
from slurm_mig.reconfigure.reboot.orders import Carried
from slurm_mig.reconfigure.reboot.program import Task
from slurm_mig.reconfigure.record import TARGET, Record
from slurm_mig.reconfigure.run import Run, one_line
from slurm_mig.reconfigure.world import World

REFUSED = "refused"


def work(world: World, request: Request, node: str, task: Task) -> Ended:
    """Carry an order out. Raises nothing that could be told to nobody: it is how it ended."""
    if task.wanted.smoke is not None:
        world = world._replace(options=world.options._replace(smoke=task.wanted.smoke))
    ended = _repartition(world, request, node, task)
    with suppress(SlurmMigError, OSError):
        carried = Carried(task.order.run, task.order.order, ended.outcome, one_line(ended.problem))
        orders.write(world.root, carried)
    return ended


def _repartition(world: World, request: Request, node: str, task: Task) -> Ended:
    try:
        with only_one(world.root, request.settings.lock_timeout_s, *LOCK):
            ended = _cut_short(world, task)
            if ended is None:
                ended = _wanted(world, request, node, task)
    except (SlurmMigError, OSError) as why:  # nothing was changed
        return release(world, node, task, Ended(REFUSED, str(why)))
    return release(world, node, task, ended) if ended.outcome == NOTHING else ended


def _cut_short(world: World, task: Task) -> Ended | None:
    """End the one that did not come to its end, if there is one; None: go on with the task."""
    found = records.read(world.root)
    if found is None:
        return None
    record = records.take_over(world.root, found)
    if task.wanted.rollback and found.run_id != task.order.run:
        return _undone(world, record, task.order)
    ended = loop.recover(Run(world, record))
    return ended if ended.outcome == loop.STAYS else None


def _undone(world: World, record: Record, order: Order) -> Ended:
    """Undo it: what was before that one is just what is wanted."""
    options = world.options._replace(keep_what_failed=False)
    run = Run(world._replace(options=options), record)
    if record.theirs is None and order.theirs is not None:
        run.note(theirs=order.theirs)
    ended = loop.recover(run, undo=True)
    return ended._replace(outcome=loop.DONE, problem="") if ended.outcome == loop.BACK else ended


def _wanted(world: World, request: Request, node: str, task: Task) -> Ended:
    order, wanted = task
    if wanted.rollback and _is_back(world, order):
        return Ended(NOTHING)
    prospect = begin.look(world, request, node, chooser(world.root, wanted))
    if prospect.nothing:
        return Ended(NOTHING)
    prospect = entry.marked(prospect) if wanted.rollback else prospect
    fleet = begin.Fleet(order.run, None)
    record = begin.open_record(world, node, wanted.what, prospect, fleet, order.theirs)
    return loop.forward(Run(world, record))


def _is_back(world: World, order: Order) -> bool:
    """Whether this run has rolled it back already: once more would be forth again."""
    last = entry.last_one(world.root)
    return last.run_id == order.run and last.goal == TARGET


def chooser(root: Path, wanted: Wanted) -> Chooser:
    """What it wants of the GPUs that are there.

    Raises Refused for a wrong file or label, and where nothing is kept of what was before.
    """
    if wanted.rollback:
        return entry.as_before(entry.last_one(root))
    config = parse(wanted.text.encode(errors="surrogateescape"), f"run {wanted.run}")
    label = select(config, wanted.label)

    def choose(gpus: Sequence[LiveGpu]) -> Mapping[GpuIndex, WantedGpu]:
        return resolve(config, label, gpus)

    return choose


def release(world: World, node: str, task: Task, ended: Ended) -> Ended:
    """Have the reboot over where nothing was changed: back in service, or drained with why."""
    try:
        found = world.client.node(node)
        if ended.outcome == REFUSED:
            why = drained.not_done(task.order.run, ended.problem)
            drained.take_over(world.client, found, why)
            world.client.drain(node, why)
        elif task.order.theirs is not None:
            drained.take_over(world.client, found, task.order.theirs)
            world.client.set_reason(node, task.order.theirs)
        elif found.drains or drained.REBOOT_ISSUED in found.state:
            world.client.resume(node)
    except SlurmMigError as why:
        return ended._replace(problem="; ".join(filter(None, (ended.problem, str(why)))))
    return ended
