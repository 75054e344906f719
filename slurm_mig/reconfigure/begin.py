"""Before the node is drained: what would be done, for whom it would wait, and what forbids it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from slurm_mig.errors import JournalError, NoSuchNode, Refused
from slurm_mig.gpu.change.bounded import Progress, Pulse
from slurm_mig.gpu.change.prepare import Request
from slurm_mig.gpu.config.offline import completed
from slurm_mig.gpu.partitioning import LiveGpu, WantedGpu
from slurm_mig.gpu.planning.plan import GpuPlan, plan
from slurm_mig.gpu.present.survey import survey
from slurm_mig.model import GpuIndex
from slurm_mig.reconfigure import drained, smoke
from slurm_mig.reconfigure import record as records
from slurm_mig.reconfigure.phases import gpu_types
from slurm_mig.reconfigure.record import TARGET, Record, RecordGpu
from slurm_mig.reconfigure.waiting import holds_gres
from slurm_mig.reconfigure.world import Notes, Types, World
from slurm_mig.slurm.controller.client import GresCount, Job, NodeState, SlurmClient
from slurm_mig.slurm.demand import Stranded, stranded
from slurm_mig.system import epoch

PREVIOUS: Final = "previous"  # in the notes: the id of the run before, of this node
Chooser = Callable[[Sequence[LiveGpu]], Mapping[GpuIndex, WantedGpu]]
_LOOK_S = 60.0


class Prospect(NamedTuple):
    """What would be done: the plan of each GPU that is named, and the jobs that are waited for."""

    node: NodeState
    plans: tuple[GpuPlan, ...]
    others: tuple[LiveGpu, ...]
    wanted: Mapping[str, WantedGpu]
    jobs: tuple[Job, ...]
    notes: Mapping[str, str]
    stranded: tuple[Stranded, ...]  # pending jobs that could run nowhere any more
    right: bool  # slurmctld has what lives, and slurmd registered it
    types: Types  # of the node's gpus, when it is done

    @property
    def nothing(self) -> bool:
        """Whether all is as wanted already."""
        return self.right and not any(each.steps for each in self.plans)


def look(
    world: World, request: Request, name: str, choose: Chooser, *, whom: bool = True
) -> Prospect:
    """Look and plan; changes nothing. Raises Refused with all that forbids it.

    Not `whom`: nobody is to be told which pending jobs would be stranded.
    """
    problems: list[str] = []
    plans, others, wanted = plans_of(request, choose)
    problems += [problem for each in plans for problem in each.problems]
    try:
        node = world.client.node(name)
    except NoSuchNode as why:
        raise Refused("nothing was changed", [*problems, str(why)]) from None
    # Slurm has a node DOWN too while its RebootProgram runs, which may be ourselves.
    if "DOWN" in node.state and drained.REBOOT_ISSUED not in node.state:
        problems.append(f"{name} is DOWN ({node.reason}): mend that first")
    try:
        notes = world.publisher.choose(node)
    except Refused as why:
        problems += [f"{why.what}: {problem}" for problem in why.problems]
    problems += smoke.hindrances(world, node)
    _must_be_none(problems)
    right = gpu_types(node) == world.publisher.types(notes) and not node.registered_badly
    if not right or any(each.steps for each in plans):
        _must_be_none(world.publisher.hindrances(notes))
    empty = world.publisher.needs_it_empty(notes)
    jobs = tuple(job for job in world.client.jobs_on(name) if empty or holds_gres(job))
    types = world.publisher.types_after(notes, plans)
    lost = stranded_by(world.client, {name: types}) if whom else ()
    return Prospect(node, plans, others, wanted, jobs, notes, lost, right, types)


def _must_be_none(problems: Sequence[str]) -> None:
    if problems:
        raise Refused("nothing was changed", problems)


def stranded_by(client: SlurmClient, types: Mapping[str, Types]) -> tuple[Stranded, ...]:
    """The pending jobs that could run nowhere any more when these nodes have these types."""
    after = {
        name: tuple(GresCount("gpu", kind, number) for kind, number in each.items())
        for name, each in types.items()
    }
    return stranded(client.pending_jobs(), client.nodes(), after)


class Fleet(NamedTuple):
    """The run over many nodes that this one is of, and the machine where it was begun.

    `begun_on` is None where this one ends alike without that machine.
    """

    run_id: str
    begun_on: str | None


def open_record(
    world: World,
    name: str,
    what: str,
    prospect: Prospect,
    fleet: Fleet | None = None,
    theirs: str | None = None,
) -> Record:
    """Write down what is about to be done. Raises JournalError.

    `theirs`: why somebody else had drained the node, where slurmctld does not know that any more.
    """
    run_id = fleet.run_id if fleet else records.new_id()
    root = str(world.root)
    record = Record(
        run_id=run_id,
        owner=records.new_id(),
        boot_id=epoch.boot_id(root),
        node=name,
        what=what,
        goal=TARGET,
        phase="DRAIN",
        reason=drained.reason(run_id, what),
        gpus=tuple(
            RecordGpu(each.gpu.info.uuid, each.former, prospect.wanted[each.gpu.info.uuid])
            for each in prospect.plans
            if each.steps
        ),
        smoke=bool(world.options.smoke),
        notes={**prospect.notes, **_previous(world.root)},
        theirs=theirs,
        fleet=fleet.run_id if fleet and fleet.begun_on else None,
        begun_on=fleet.begun_on if fleet else None,
    )
    records.begin(world.root, record)
    world.publisher.begin(run_id, prospect.notes)
    return record


def _previous(root: Path) -> Notes:
    with suppress(JournalError):
        if (last := records.read(root, records.LAST)) is not None:
            return {PREVIOUS: last.run_id}
    return {}


def plans_of(
    request: Request, choose: Chooser
) -> tuple[tuple[GpuPlan, ...], tuple[LiveGpu, ...], Mapping[str, WantedGpu]]:
    """As if nobody ran on the GPUs: jobs are waited for, and apply looks once more."""

    def work(pulse: Pulse) -> tuple[LiveGpu, ...]:
        pulse(Progress("looking at the GPUs"), _LOOK_S)
        with request.session() as nvml:
            return survey(nvml)

    gpus = request.run(work, request.watch)
    by_index = {gpu.info.gpu_index: gpu for gpu in gpus}
    pairs = [(by_index[index], each) for index, each in choose(gpus).items()]
    plans = tuple(_plan(gpu, each) for gpu, each in pairs)
    wanted = {gpu.info.uuid: each for gpu, each in pairs}
    return plans, tuple(gpu for gpu in gpus if gpu.info.uuid not in wanted), wanted


def _plan(gpu: LiveGpu, wanted: WantedGpu) -> GpuPlan:
    made = plan(gpu, wanted)
    known = completed(gpu)
    return plan(known, wanted) if made.unsolved and known.profiles else made
