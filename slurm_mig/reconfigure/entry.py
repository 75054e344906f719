"""The ways in: a new reconfigure, the way back of the last one, and what was cut short.

Each holds the node's lock and has the record on the disk before the first change.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from slurm_mig.errors import JournalError, NoSuchNode, Refused
from slurm_mig.gpu.change.nodelock import only_one
from slurm_mig.gpu.change.prepare import Request
from slurm_mig.gpu.partitioning import LiveGpu, WantedGpu
from slurm_mig.model import GpuIndex
from slurm_mig.reconfigure import begin, drained, loop, phases
from slurm_mig.reconfigure import record as records
from slurm_mig.reconfigure.begin import Chooser, Prospect
from slurm_mig.reconfigure.loop import Ended
from slurm_mig.reconfigure.record import Record
from slurm_mig.reconfigure.run import Run
from slurm_mig.reconfigure.world import World
from slurm_mig.slurm.controller.client import NodeState

NOTHING = "nothing"
LOCK: Final = ("reconfigure.lock", "reconfigure of this node")
ROLLBACK: Final = "rollback"  # in the notes: what is wanted is what was before another one
_AT_ONCE_S = 1.0


def start(world: World, request: Request, node: str, what: str, choose: Chooser) -> Ended:
    """A new one. Raises SlurmMigError or OSError when nothing was changed."""
    with only_one(world.root, _AT_ONCE_S, *LOCK):  # whoever is at it may wait for jobs for hours
        must_be_none_open(world.root)
        prospect = begin.look(world, request, node, choose, whom=False)
        if prospect.nothing:
            return Ended(NOTHING)
        return loop.forward(Run(world, begin.open_record(world, node, what, prospect)))


def rollback(world: World, request: Request, node: str) -> Ended:
    """Back to what was before: of the one that was cut short, or else of the last one."""
    with only_one(world.root, request.settings.lock_timeout_s, *LOCK):
        cut_short = records.read(world.root)
        if cut_short is not None:
            return loop.recover(Run(world, records.take_over(world.root, cut_short)), undo=True)
        last = last_one(world.root)
        prospect = begin.look(world, request, node, as_before(last), whom=False)
        if prospect.nothing:
            return Ended(NOTHING)
        what = f"what was before {last.what}"
        record = begin.open_record(world, node, what, marked(prospect))
        return loop.forward(Run(world, record))


def recover(world: World, request: Request, *, undo: bool = False) -> Ended:
    """End what was cut short. Raises SlurmMigError or OSError when nothing was changed."""
    with only_one(world.root, request.settings.lock_timeout_s, *LOCK):
        found = records.read(world.root)
        if found is not None:
            return loop.recover(Run(world, records.take_over(world.root, found)), undo=undo)
        last = forgotten(world, request)
        if last is None:
            return Ended(NOTHING)
        again = last._replace(owner=records.new_id(), phase="RESUME", ended=False)
        records.begin(world.root, again)
        return loop.recover(Run(world, again))


def forgotten(world: World, request: Request) -> Record | None:
    """The last one, if it is at its end and slurmctld has forgotten that, or what it was told.

    One that was killed comes back with what it had last saved: with the drain of this one, or with
    a dynamic node as it was before its deletion, or without it.
    """
    last = records.read(world.root, records.LAST)
    if last is None or records.read(world.root) is not None:
        return None
    try:
        node = world.client.node(last.node)
    except NoSuchNode:
        node = None
    if node is not None and _is_drained_by(last, node):
        return last
    return last if _was_another(world, request, last, node) else None


def _is_drained_by(last: Record, node: NodeState) -> bool:
    # Killed soon after one that followed another, it may have saved nothing since that one.
    ids = filter(None, (last.run_id, last.notes.get(begin.PREVIOUS)))
    named = any(f"[{run_id}]" in node.reason for run_id in ids)
    named = named or not node.reason  # 22.05 takes none from slurmd
    return node.drains and named and drained.is_ours(last, node) and last.theirs is None


def _was_another(world: World, request: Request, last: Record, node: NodeState | None) -> bool:
    """Whether slurmctld has of a dynamic node what it had before, though the GPUs are as left."""
    if not world.publisher.needs_it_empty(last.notes) or not world.slurmd.runs():
        return False
    if not phases.unlike_types(last.node, node, world.publisher.types(last.notes)):
        return False
    plans, _, _ = begin.plans_of(request, as_at(last, last.goal))
    return not any(plan.steps for plan in plans)


def prospect(world: World, request: Request, node: str, choose: Chooser | None) -> Prospect:
    """What `start` would do; without `choose` what `rollback` would, where none was cut short."""
    must_be_none_open(world.root)
    return begin.look(world, request, node, choose or as_before(last_one(world.root)))


def must_be_none_open(root: Path) -> None:
    """Raises JournalError where a reconfigure is not at its end."""
    found = records.read(root)
    if found is not None:
        raise JournalError(
            f"a reconfigure of {found.node} to {found.what} is not at its end ({found.phase}): "
            "run `slurm-mig recover`, or `slurm-mig reconfigure --rollback`"
        )


def last_one(root: Path) -> Record:
    """The last one that ended here. Raises Refused where there was none."""
    last = records.read(root, records.LAST)
    if last is None:
        raise Refused("nothing was changed", ["no reconfigure of this node is known"])
    return last


def marked(prospect: Prospect) -> Prospect:
    """The same, to be written down as a rollback."""
    return prospect._replace(notes={**prospect.notes, ROLLBACK: "yes"})


def as_before(last: Record) -> Chooser:
    """What the GPUs had before that one; or, where that is a rollback that failed, what it wants.

    Else a rollback that is tried again would find that nothing is to be done.
    """
    failed = ROLLBACK in last.notes and last.goal == records.FORMER
    return as_at(last, records.TARGET if failed else records.FORMER)


def as_at(last: Record, goal: str) -> Chooser:
    """What the GPUs had before that one, or were to have after it."""

    def choose(gpus: Sequence[LiveGpu]) -> Mapping[GpuIndex, WantedGpu]:
        there = {gpu.info.uuid: gpu.info.gpu_index for gpu in gpus}
        wanted = last.wanted(goal)
        if missing := [f"{uuid} does not answer" for uuid in wanted if uuid not in there]:
            raise Refused("nothing was changed", missing)
        return {there[uuid]: each for uuid, each in wanted.items()}

    return choose
