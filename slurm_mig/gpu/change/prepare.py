"""Before a change: what is there, what would be done about it, and what forbids it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from slurm_mig.errors import Refused
from slurm_mig.gpu.change import committed, preflight, state_files
from slurm_mig.gpu.change.bounded import Progress, Pulse, Runner, Watch, watched
from slurm_mig.gpu.change.driver_drift import renamed
from slurm_mig.gpu.change.holder_search import look
from slurm_mig.gpu.change.holders import Sight
from slurm_mig.gpu.config.offline import completed
from slurm_mig.gpu.nvml.partition_adapter import partition_session
from slurm_mig.gpu.nvml.partition_port import PartitionNvml
from slurm_mig.gpu.nvml.processes import NvmlProcesses, PynvmlProcesses
from slurm_mig.gpu.partitioning import LiveGpu, WantedGpu
from slurm_mig.gpu.planning.plan import GpuPlan, plan, toward
from slurm_mig.gpu.present.survey import survey, survey_each
from slurm_mig.model import GpuIndex
from slurm_mig.settings import Settings

NOTHING_CHANGED = "nothing was changed"
_NOT_HERE = (
    "it is not in this machine (taken out for good? then take it out of "
    f"{state_files.FOLDER}/{committed.NAME} too)"
)
_LOOKING = Progress("looking at the GPUs")
_LOOK_S = 60.0  # for all that is asked of NVML in one look

Chooser = Callable[[Sequence[LiveGpu]], Mapping[GpuIndex, WantedGpu]]
Session = Callable[[], AbstractContextManager[PartitionNvml]]


def _quiet(_: Progress) -> None:
    return None


class Request(NamedTuple):
    """What is wanted, where.

    `choose` says what each of these GPUs is to be, or raises Refused; None: the configuration
    that was last applied with success (committed.py). `watch` hears each step before it is made.
    `run` says in which process NVML is asked (bounded.py).
    """

    root: Path
    settings: Settings
    choose: Chooser | None = None
    watch: Watch = _quiet
    session: Session = partition_session
    processes: Callable[[], NvmlProcesses] = PynvmlProcesses
    run: Runner = watched


class Prepared(NamedTuple):
    """What would be done. `problems` forbid it, all of them; `remarks` are worth to know.

    `wanted`, by GPU UUID, goes with plans that are not solved before MIG is on; `paper` are the
    same plans, those solved by what is published of the model. `others` are left alone.
    `missing`: GPUs that are committed and not there.
    """

    plans: tuple[GpuPlan, ...]
    paper: tuple[GpuPlan, ...]
    wanted: Mapping[str, WantedGpu]
    others: tuple[LiveGpu, ...]
    sight: Sight
    problems: tuple[str, ...]
    missing: tuple[str, ...] = ()


def prepare(request: Request) -> Prepared:
    """Look and plan. Changes nothing; raises SlurmMigError."""

    def work(pulse: Pulse) -> Prepared:
        pulse(_LOOKING, _LOOK_S + request.settings.look_timeout_s)
        return _prepare(request)

    return request.run(work, request.watch)


def _prepare(request: Request) -> Prepared:
    # Those that run will be stopped.
    stoppable = frozenset([*request.settings.clients, *request.settings.clients_if_blocking])
    with request.session() as nvml:
        if request.choose is None:
            gpus, plans, missing = _committed_plans(request.root, nvml)
            wanted: Mapping[str, WantedGpu] = {}
            sight = _look(request, gpus)
        else:
            gpus, missing = survey(nvml), ()
            sight = _look(request, gpus)
            plans, wanted = _plans(gpus, request.choose(gpus), sight.without(stoppable))
        paper = tuple(_on_paper(each, wanted) for each in plans)
    ground = _ground(request, sight, stoppable)
    named = {each.gpu.info.uuid for each in plans}
    return Prepared(
        plans=plans,
        paper=paper,
        wanted=wanted,
        others=tuple(gpu for gpu in gpus if gpu.info.uuid not in named),
        sight=sight,
        problems=preflight.problems(paper, ground),
        missing=missing,
    )


def daemons(settings: Settings, prepared: Prepared) -> list[str]:
    """The units that are to be stopped meanwhile, where they run."""
    blocking = preflight.blocking_units(
        prepared.plans, prepared.sight, settings.clients_if_blocking
    )
    return list(dict.fromkeys([*settings.clients, *blocking]))


def nobody_in_the_way(request: Request, plans: Sequence[GpuPlan], stopped: Sequence[str]) -> None:
    """Look once more, now that the daemons have ended. Raises Refused."""

    def work(pulse: Pulse) -> Sight:
        pulse(_LOOKING, _LOOK_S + request.settings.look_timeout_s)
        with request.session():
            return _look(request, [each.gpu for each in plans])

    sight = request.run(work, request.watch)
    problems = preflight.problems(plans, _ground(request, sight, frozenset()))
    if problems:
        after = f" (after {', '.join(stopped)} stopped)" if stopped else ""
        raise Refused(f"{NOTHING_CHANGED}{after}", problems)


def _plans(
    gpus: Sequence[LiveGpu], chosen: Mapping[GpuIndex, WantedGpu], sight: Sight
) -> tuple[tuple[GpuPlan, ...], Mapping[str, WantedGpu]]:
    by_index = {gpu.info.gpu_index: gpu for gpu in gpus}
    pairs = [(by_index[index], wanted) for index, wanted in chosen.items()]
    plans = tuple(plan(gpu, wanted, sight.busy(gpu)) for gpu, wanted in pairs)
    return plans, {gpu.info.uuid: wanted for gpu, wanted in pairs}


def _on_paper(made: GpuPlan, wanted: Mapping[str, WantedGpu]) -> GpuPlan:
    """A plan that the driver does not let us solve yet, solved as far as the model is known.

    So what can never fit is refused before MIG is switched on for it.
    """
    known = completed(made.gpu)
    if not made.unsolved or not known.profiles:
        return made
    return plan(known, wanted[made.gpu.info.uuid])


def _committed_plans(
    root: Path, nvml: PartitionNvml
) -> tuple[tuple[LiveGpu, ...], tuple[GpuPlan, ...], tuple[str, ...]]:
    """All GPUs that answer, the ways back to what is committed of them, and what is missing."""
    layouts, seen = committed.read(root), survey_each(nvml)
    there = seen.by_uuid()
    plans = tuple(
        toward(there[uuid], renamed(layout, there[uuid].profiles))
        for uuid, layout in layouts.items()
        if uuid in there
    )
    silent = "; ".join(seen.unseen.values()) or _NOT_HERE
    missing = tuple(
        f"{uuid} is committed, and does not answer: {silent}"
        for uuid in layouts
        if uuid not in there
    )
    return seen.gpus, plans, missing


def _look(request: Request, gpus: Sequence[LiveGpu]) -> Sight:
    """Who is on them. An NVML session is open."""
    return look(request.root, gpus, request.processes(), request.settings.look_timeout_s)


def _ground(request: Request, sight: Sight, stopped: frozenset[str]) -> preflight.Ground:
    return preflight.Ground(
        request.root, request.settings, sight, stopped, preflight.effective_uid()
    )
