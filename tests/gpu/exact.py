"""The least that must be destroyed, by trying everything: the judge of the plans.

Slow, and meant so: for small cases only. Nothing of the product's search is used.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, permutations

from slurm_mig.gpu.partitioning import CiSpec, WantedGi
from slurm_mig.model import Placement
from tests.gpu import oracle
from tests.gpu.papergpu import PaperCi, PaperGi, PaperGpu
from tests.layouts import PlacedGi
from tests.sim.models import CiProfile

Busy = frozenset[Placement]
Loss = tuple[int, int, int]  # busy instances harmed, GPU instances and CIs destroyed


def least(gpu: PaperGpu, wanted: Sequence[WantedGi], busy: Busy = frozenset()) -> Loss:
    """What must be destroyed: the least, the first number counting most."""
    return min(
        _loss(gpu, placed, order, busy)
        for placed in oracle.solutions(gpu.model.key, (), wanted)
        for order in _orders(placed, wanted)
    )


def _orders(
    placed: Sequence[PlacedGi], wanted: Sequence[WantedGi]
) -> Iterator[tuple[WantedGi, ...]]:
    """Every way to say which of the wishes each of these is."""
    for order in set(permutations(wanted)):
        if all(
            gi.profile.name == wish.profile and wish.start in (None, gi.start)
            for gi, wish in zip(placed, order, strict=True)
        ):
            yield order


def _loss(gpu: PaperGpu, placed: Sequence[PlacedGi], order: Sequence[WantedGi], busy: Busy) -> Loss:
    wishes = {
        (gi.profile.name, oracle.place(gi)): wish for gi, wish in zip(placed, order, strict=True)
    }
    harmed = gis = cis = 0
    for place, live in gpu.instances.items():
        wish = wishes.get((live.placed.profile.name, place))
        kept = 0 if wish is None else _kept(live, wish)
        gis += wish is None
        cis += len(live.cis) - kept
        harmed += place in busy and (wish is None or kept < len(live.cis))
    return harmed, gis, cis


def _kept(live: PaperGi, wish: WantedGi) -> int:
    if wish.cis is not None:
        return most_kept(live, [CiSpec(name) for name in wish.cis])
    profile = live.placed.profile
    return sum(
        ci.profile.slices == profile.slices and ci.profile.sm_count == profile.sm_count
        for ci in live.cis
    )


def most_kept(instance: PaperGi, wanted: Sequence[CiSpec]) -> int:
    """How many compute instances can stay there: of those that are parts of it, by name."""
    return max(
        number
        for number in range(len(instance.cis) + 1)
        for keep in combinations(instance.cis, number)
        if _can_stay(replace(instance, cis=list(keep)), wanted)
    )


def _can_stay(stay: PaperGi, wanted: Sequence[CiSpec]) -> bool:
    """Whether those that stay are wanted, and the rest finds a place somewhere."""
    names = {ci.name: ci for ci in stay.placed.profile.ci_profiles}
    rest = [spec.ci_profile for spec in wanted]
    for ci in stay.cis:
        if ci.profile.name not in rest:
            return False
        rest.remove(ci.profile.name)
    return _by_trial(stay, [names[name] for name in rest])


def _by_trial(instance: PaperGi, rest: Sequence[CiProfile]) -> bool:
    return not rest or any(
        _by_trial(replace(instance, cis=[*instance.cis, PaperCi(rest[0], start, 0)]), rest[1:])
        for start in rest[0].starts
        if instance.free(rest[0], start)
    )
