"""Whether a GPU is what it is to be, and what was left alone is as it was. Pure.

Written apart from the planner, so that each can find the other's mistakes.
"""

from collections.abc import Collection, Iterator, Sequence

from slurm_mig.gpu.partitioning import CiSpec, GiSpec, Layout, LiveCi, LiveGi, LiveGpu
from slurm_mig.gpu.profile import parse
from slurm_mig.model import Placement


def differences(live: LiveGpu, wanted: Layout) -> tuple[str, ...]:
    """In what a GPU differs from a layout, in words; empty when it is exactly that."""
    return tuple(f"{gpu_text(live)}: {what}" for what in _differences(live, wanted))


def disturbed(before: LiveGpu, after: LiveGpu, touched: Collection[Placement]) -> tuple[str, ...]:
    """What is no longer as it was, of all GPU instances but those at the places `touched`."""
    there = {gi.placement: gi for gi in after.instances}
    return tuple(
        f"{gpu_text(after)}: {_gi_text(gi.spec)} was to be left alone and has changed"
        for gi in before.instances
        if gi.placement not in touched and there.get(gi.placement) != gi
    )


def layout_text(layout: Layout) -> str:
    """A layout in a few words: "MIG on: 3g.40gb@4, 1g.10gb@0 (no compute instance)"."""
    if not layout.mig:
        return "MIG off"
    return f"MIG on: {', '.join(map(_gi_text, layout.instances)) or 'no instance'}"


def gpu_text(live: LiveGpu) -> str:
    """How a message names a GPU."""
    return f"GPU {live.info.gpu_index} ({live.info.pci_bus_id})"


def _differences(live: LiveGpu, wanted: Layout) -> Iterator[str]:
    mode = live.info.mig_mode
    if mode is not None and mode.pending != mode.current:
        yield f"MIG {'on' if mode.pending else 'off'} is pending"
    if live.layout.mig != wanted.mig:
        yield f"MIG is {'on' if live.layout.mig else 'off'}"
    there = {gi.placement: gi for gi in live.instances}
    for spec in wanted.instances:
        gi = there.pop(spec.placement, None)
        if gi is None or gi.profile != spec.profile:
            yield f"{_gi_text(spec)} is missing"
        elif not _same_cis(live, gi, spec.cis):
            yield f"{_gi_text(spec)} is wanted, there is {_gi_text(gi.spec)}"
    yield from (f"{_gi_text(gi.spec)} is too many" for gi in there.values())


def _same_cis(live: LiveGpu, gi: LiveGi, wanted: Sequence[CiSpec]) -> bool:
    """Whether each live one is one of the wanted; those whose place is told are found first."""
    left = list(gi.cis)
    most = max((one.sm_count for one in live.profiles if one.profile == gi.profile), default=0)
    for spec in sorted(wanted, key=lambda spec: spec.start is None):
        found = next((ci for ci in left if _is(ci, spec, most)), None)
        if found is None:
            return False
        left.remove(found)
    return not left


def _is(ci: LiveCi, spec: CiSpec, most: int) -> bool:
    if spec.ci_profile_id is not None:
        same = ci.spec.ci_profile_id == spec.ci_profile_id
    else:
        name = parse(spec.ci_profile)
        same = name.ci_slices != name.gi_slices or ci.sm_count >= most  # all slices: all SMs
    return same and ci.spec.ci_profile == spec.ci_profile and spec.start in (None, ci.spec.start)


def _gi_text(gi: GiSpec) -> str:
    place = f"{gi.profile}@{gi.placement.start}"
    if [ci.ci_profile for ci in gi.cis] == [gi.profile]:
        return place
    return f"{place} ({', '.join(ci.ci_profile for ci in gi.cis) or 'no compute instance'})"
