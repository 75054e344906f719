"""Which live GPU instances stay for which wanted ones: searched exactly, with the placement. Pure.

What counts, in this order: the fewest busy instances destroyed or with a compute instance
destroyed; the fewest GPU instances destroyed; the fewest compute instances destroyed; the most
compute instances kept; the most room left, as placement.py has it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations
from typing import NamedTuple

from slurm_mig.gpu.partitioning import CiSpec, GiProfile, GiSpec, LiveGi, WantedGi
from slurm_mig.gpu.planning.compute import change, whole
from slurm_mig.gpu.planning.fitting import places, room, taken
from slurm_mig.model import Placement

Busy = frozenset[Placement]


class Pair(NamedTuple):
    """A GPU instance to be: its target, and the live one that stays for it, if one does."""

    target: GiSpec
    live: LiveGi | None


class Cost(NamedTuple):
    """What a choice destroys; `kept_cis` counts downwards, for less is better."""

    busy: int = 0
    gis: int = 0
    cis: int = 0
    kept_cis: int = 0

    def plus(self, other: "Cost") -> "Cost":
        """Both together."""
        return Cost(*(one + more for one, more in zip(self, other, strict=True)))


class _Choice(NamedTuple):
    cost: Cost
    room: int
    pairs: tuple[Pair, ...]


def specs(wanted: WantedGi) -> tuple[CiSpec, ...]:
    """The compute instances that a wanted GPU instance has."""
    if wanted.exactly is not None:
        return wanted.exactly
    return whole(wanted.profile) if wanted.cis is None else tuple(map(CiSpec, wanted.cis))


def best(
    profiles: Sequence[GiProfile],
    live: Sequence[LiveGi],
    wanted: Sequence[WantedGi],
    busy: Busy,
) -> tuple[Pair, ...] | None:
    """A pair for each that is wanted, in its order; None where they do not fit on the GPU."""
    found: _Choice | None = None
    for keep in _by_loss(live, wanted, busy):
        gone = [gi for gi in live if gi not in keep]
        loss = Cost(sum(gi.placement in busy for gi in gone), len(gone), _ci_count(gone))
        if found is not None and loss[:2] > found.cost[:2]:
            break
        choice = _choose(profiles, keep, wanted, busy, loss)
        if choice is not None and (found is None or _order(choice) < _order(found)):
            found = choice
    return None if found is None else found.pairs


def _order(choice: _Choice) -> tuple[Cost, int]:
    return choice.cost, -choice.room


def _ci_count(instances: Sequence[LiveGi]) -> int:
    return sum(len(gi.cis) for gi in instances)


def _by_loss(
    live: Sequence[LiveGi], wanted: Sequence[WantedGi], busy: Busy
) -> list[tuple[LiveGi, ...]]:
    """All sets of live instances that could stay, those that lose least first."""
    possible = [gi for gi in live if any(_may_be(gi, wish) for wish in wanted)]
    sets = [
        keep
        for number in range(min(len(possible), len(wanted)) + 1)
        for keep in combinations(possible, number)
    ]
    return sorted(sets, key=lambda keep: (-sum(gi.placement in busy for gi in keep), -len(keep)))


def _may_be(live: LiveGi, wish: WantedGi) -> bool:
    return live.profile == wish.profile and wish.start in (None, live.placement.start)


def _choose(
    profiles: Sequence[GiProfile],
    keep: Sequence[LiveGi],
    wanted: Sequence[WantedGi],
    busy: Busy,
    loss: Cost,
) -> _Choice | None:
    """The best that can be done when exactly these stay; None where that cannot be."""
    matched = _match(profiles, keep, wanted, busy)
    if matched is None:
        return None
    cost, of = matched
    rest = [wish for number, wish in enumerate(wanted) if number not in of]
    new = places(profiles, [(gi.profile, gi.placement) for gi in keep], rest)
    if new is None:
        return None
    pairs = tuple(_pairs(wanted, of, new))
    left = room(profiles, taken(pair.target.placement for pair in pairs))
    return _Choice(cost.plus(loss), left, pairs)


def _pairs(
    wanted: Sequence[WantedGi], of: dict[int, LiveGi], new: Sequence[Placement]
) -> Iterator[Pair]:
    fresh = iter(new)
    for number, wish in enumerate(wanted):
        live = of.get(number)
        place = next(fresh) if live is None else live.placement
        yield Pair(GiSpec(wish.profile, place, specs(wish)), live)


def _match(
    profiles: Sequence[GiProfile], keep: Sequence[LiveGi], wanted: Sequence[WantedGi], busy: Busy
) -> tuple[Cost, dict[int, LiveGi]] | None:
    """Position in `wanted` -> the live instance that stays for it, at the least cost.

    A wish that names the start of a live one gets that one: no other can be there.
    """
    cost, of = Cost(), dict[int, LiveGi]()
    sm_counts = {each.profile: each.sm_count for each in profiles}
    wishes = defaultdict[str, list[int]](list)
    for number, wish in enumerate(wanted):
        wishes[wish.profile].append(number)
    for profile, kept in _by_profile(keep).items():
        found = _assign(kept, wishes[profile], wanted, sm_counts.get(profile), busy)
        if found is None:
            return None
        cost = cost.plus(found[0])
        of |= dict(zip(found[1], kept, strict=True))
    return cost, of


def _by_profile(instances: Sequence[LiveGi]) -> dict[str, list[LiveGi]]:
    found = defaultdict[str, list[LiveGi]](list)
    for gi in instances:
        found[gi.profile].append(gi)
    return found


Assigned = tuple[Cost, tuple[int, ...]]


def _assign(
    kept: Sequence[LiveGi],
    numbers: Sequence[int],
    wanted: Sequence[WantedGi],
    sm_count: int | None,
    busy: Busy,
) -> Assigned | None:
    """A wish for each of the kept ones, all of one profile, at the least cost."""
    kinds = list(dict.fromkeys(wanted[number] for number in numbers))
    have = Counter(wanted[number] for number in numbers)

    @cache
    def of_kind(at: int, left: tuple[int, ...]) -> tuple[Cost, tuple[int, ...]] | None:
        if at == len(kept):
            return Cost(), ()
        found: list[tuple[Cost, tuple[int, ...]]] = []
        named = kept[at].placement.start in (wish.start for wish in kinds)
        for kind, wish in enumerate(kinds):
            if not left[kind] or not _may_be(kept[at], wish) or (named and wish.start is None):
                continue
            rest = of_kind(at + 1, tuple(n - (kind == k) for k, n in enumerate(left)))
            if rest is not None:
                cost = _ci_cost(kept[at], wish, sm_count, busy)
                found.append((cost.plus(rest[0]), (kind, *rest[1])))
        return min(found, default=None)

    best = of_kind(0, tuple(have[wish] for wish in kinds))
    if best is None:
        return None
    queues = [[number for number in numbers if wanted[number] == wish] for wish in kinds]
    return best[0], tuple(queues[kind].pop(0) for kind in best[1])


def _ci_cost(live: LiveGi, wish: WantedGi, sm_count: int | None, busy: Busy) -> Cost:
    made = change(live.cis, specs(wish), sm_count)
    disturbed = bool(made.go) and live.placement in busy
    return Cost(int(disturbed), 0, len(made.go), -len(made.keep))
