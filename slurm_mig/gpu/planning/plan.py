"""From what a GPU is to what somebody wants: the fewest destroys and creates. Pure.

Nothing here looks at the machine: where the live GPU is what is wanted, there are no steps.
So a plan made of a fresh look also tells whether an earlier one was carried out.
"""

from collections.abc import Iterator, Sequence

from slurm_mig.gpu.partitioning import (
    CiSpec,
    GiSpec,
    Layout,
    LiveGi,
    LiveGpu,
    WantedGi,
    WantedGpu,
)
from slurm_mig.gpu.planning.compute import CiChange, change, problems_of
from slurm_mig.gpu.planning.keeping import Busy, Pair, best
from slurm_mig.gpu.planning.placement import Impossible, solve
from slurm_mig.gpu.planning.plan_result import GpuPlan, to_json
from slurm_mig.gpu.planning.plan_steps import (
    CreateGi,
    Reset,
    creates,
    destroys,
    mode_steps,
)
from slurm_mig.model import Placement

__all__ = ["Busy", "GpuPlan", "plan", "to_json", "toward"]

_NOBODY: Busy = frozenset()
_NO_MIG = "it cannot do MIG: leave it out of the configuration, or want MIG off"


def plan(gpu: LiveGpu, wanted: WantedGpu, busy: Busy = _NOBODY) -> GpuPlan:
    """The way to what is wanted; `busy`: places of GPU instances on which something runs.

    Busy instances are destroyed only where no solution keeps them; the plan then names them.
    """
    if problems := list(_refusals(gpu, wanted)):
        judged = solve(gpu.profiles, (), wanted.instances) if wanted.mig and gpu.profiles else ()
        return _refused(gpu, problems, judged)
    if not wanted.mig:
        return _made(gpu, Layout(mig=False), (), busy)
    if wanted.instances and not gpu.profiles and not gpu.layout.mig:
        return _made(gpu, Layout(mig=True), (), busy)._replace(unsolved=True)
    pairs = best(gpu.profiles, _live(gpu), wanted.instances, busy)
    if pairs is None:
        return _refused(gpu, [], solve(gpu.profiles, (), wanted.instances))
    return _made(gpu, Layout(True, _targets(gpu, pairs)), pairs, busy)


def toward(gpu: LiveGpu, target: Layout, busy: Busy = _NOBODY) -> GpuPlan:
    """The way to exactly this layout, compute instances included: back, or on after a crash.

    A CiSpec's None leaves that to the driver, and any live one satisfies it.
    """
    if not target.mig:
        return _made(gpu, target._replace(instances=()), (), busy)
    if gpu.info.mig_mode is None:
        return _refused(gpu, [_NO_MIG])
    live = {(gi.profile, gi.placement): gi for gi in _live(gpu)}
    pairs = [Pair(gi, live.get((gi.profile, gi.placement))) for gi in target.instances]
    new = [spec for spec, gi in pairs if gi is None]
    if not gpu.profiles:  # the driver tells none while MIG is off: it judges when it is asked
        return _made(gpu, target, pairs, busy)
    stay = [(gi.profile, gi.placement) for _, gi in pairs if gi is not None]
    found = solve(gpu.profiles, stay, [WantedGi(gi.profile, gi.placement.start) for gi in new])
    if found != tuple(gi.placement for gi in new):
        return _refused(gpu, ["it has no such layout, as it is now"], found)
    return _made(gpu, target, pairs, busy)


def _live(gpu: LiveGpu) -> tuple[LiveGi, ...]:
    """What can stay: nothing does while MIG is off."""
    return gpu.instances if gpu.layout.mig else ()


def _name(gpu: LiveGpu) -> str:
    return f"GPU {gpu.info.gpu_index} ({gpu.info.name})"


def _refusals(gpu: LiveGpu, wanted: WantedGpu) -> Iterator[str]:
    """What is wrong with the wish itself, wherever its instances may lie."""
    if wanted.mig and gpu.info.mig_mode is None:
        yield _NO_MIG
        return
    if wanted.instances and not wanted.mig:
        yield "instances are wanted with MIG off: switch MIG on, or want none"
    by_name = {each.profile: each for each in gpu.profiles}
    for profile, cis in dict.fromkeys((wish.profile, wish.cis) for wish in wanted.instances):
        if cis is not None and profile in by_name:
            yield from problems_of(by_name[profile], cis)


def _refused(
    gpu: LiveGpu, problems: Sequence[str], judged: tuple[Placement, ...] | Impossible = ()
) -> GpuPlan:
    """Nothing is done; `judged` is what the solver says of the same wish."""
    impossible = judged if isinstance(judged, Impossible) else None
    every = [*problems, *([] if impossible is None else [str(impossible)])]
    if not every:
        raise AssertionError("refused for no reason")
    return GpuPlan(
        gpu=gpu,
        former=gpu.layout,
        target=gpu.layout,
        keep=gpu.instances,
        problems=tuple(f"{_name(gpu)}: {problem}" for problem in every),
        impossible=impossible,
    )


def _made(gpu: LiveGpu, target: Layout, pairs: Sequence[Pair], busy: Busy) -> GpuPlan:
    stay = [(live, _change(gpu, spec, live)) for spec, live in pairs if live is not None]
    keep = tuple(live for live, _ in stay)
    gone = [live for live in gpu.instances if live not in keep]
    steps = (
        *destroys(gpu, gone, stay),
        *mode_steps(gpu, target.mig),
        *creates(gpu, [_in_order(gpu, spec) for spec, live in pairs if live is None], stay),
    )
    going = [*gone, *(live for live, made in stay if made.go)]
    in_the_way = tuple(live for live in gpu.instances if live in going and live.placement in busy)
    return GpuPlan(
        gpu=gpu,
        former=gpu.layout,
        target=target,
        keep=tuple(live for live in gpu.instances if live in keep),
        steps=steps,
        problems=tuple(_blocker(gpu, live) for live in in_the_way),
        needs_reset=any(isinstance(step, Reset) for step in steps),
        first_gi=not keep and any(isinstance(step, CreateGi) for step in steps),
        in_the_way=in_the_way,
    )


def _blocker(gpu: LiveGpu, live: LiveGi) -> str:
    return (
        f"{_name(gpu)}: {live.profile}@{live.placement.start} (GPU instance {live.gi_id}) is in "
        "use and in the way: end or await what runs on it"
    )


def _change(gpu: LiveGpu, target: GiSpec, live: LiveGi | None) -> CiChange:
    sm_count = next(
        (each.sm_count for each in gpu.profiles if each.profile == target.profile), None
    )
    return change(live.cis if live is not None else (), target.cis, sm_count)


def _in_order(gpu: LiveGpu, new: GiSpec) -> GiSpec:
    """Its compute instances in the order in which to make them."""
    return new._replace(cis=_change(gpu, new, None).come)


def _targets(gpu: LiveGpu, pairs: Sequence[Pair]) -> tuple[GiSpec, ...]:
    """What is to be, by the starts; compute instances that stay as they are now."""
    made = []
    for spec, live in pairs:
        inside = _change(gpu, spec, live)
        cis = [*(ci.spec for ci in inside.keep), *inside.come]
        made.append(spec._replace(cis=tuple(sorted(cis, key=_by_start))))
    return tuple(sorted(made, key=lambda gi: gi.placement))


def _by_start(ci: CiSpec) -> tuple[bool, int]:
    return ci.start is None, ci.start or 0
