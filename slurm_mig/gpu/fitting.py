"""The search under placement.py: GPU instances on memory units, as bits of an int. Pure.

It is complete and cannot blow up: what is kept of all ways to place some instances is one for
each set of units that they take, of which 12 units have 4096 at most.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

from slurm_mig.gpu.partitioning import GiProfile, WantedGi
from slurm_mig.model import Placement

Kept = tuple[str, Placement]  # profile and place of an instance that stays where it is


def units(place: Placement) -> int:
    """The units of a place, a bit each."""
    return ((1 << place.size) - 1) << place.start


def taken(places: Iterable[Placement]) -> int:
    """The units of several places together."""
    return reduce(or_, (units(place) for place in places), 0)


def unit_count(profiles: Sequence[GiProfile]) -> int:
    """How many units the GPU has: as far as its placements reach."""
    ends = (place.start + place.size for each in profiles for place in each.placements)
    return max(ends, default=0)


def at(profile: GiProfile, start: int) -> Placement | None:
    """The possible place of a profile that begins there."""
    return next((place for place in profile.placements if place.start == start), None)


def media_fit(names: Sequence[str]) -> bool:
    """Whether the media engines suffice for GPU instances of these profiles on one GPU.

    One at most has the extensions (+me); one that has them all (+me.all) leaves only -me to others.
    """
    if any(name.endswith("+me.all") for name in names):
        return sum(not name.endswith("-me") for name in names) == 1
    return sum(name.endswith("+me") for name in names) <= 1


def room(profiles: Sequence[GiProfile], used: int) -> int:
    """How many placements, of all profiles, are free of these units."""
    return sum(not used & more for more in _all_units(profiles))


def places(
    profiles: Sequence[GiProfile], kept: Sequence[Kept], wanted: Sequence[WantedGi]
) -> tuple[Placement, ...] | None:
    """Places for all that is wanted, in its order, beside what is kept; None: there are none.

    Of all solutions it is the one with the most `room` left, and of equal ones the one that
    puts the larger profiles lowest.
    """
    order, ways = _search(profiles, kept, wanted)
    if not ways:
        return None
    everywhere = _all_units(profiles)
    best = min(
        (-sum(not used & more for more in everywhere), chosen) for used, chosen in ways.items()
    )
    return _in_order(profiles, wanted, order, best[1])


def fits(profiles: Sequence[GiProfile], kept: Sequence[Kept], wanted: Sequence[WantedGi]) -> bool:
    """Whether there are places at all."""
    return bool(_search(profiles, kept, wanted)[1])


Ways = dict[int, tuple[Placement, ...]]  # units taken -> the first way to come to them


def _all_units(profiles: Sequence[GiProfile]) -> list[int]:
    return [units(place) for each in profiles for place in each.placements]


def _search(
    profiles: Sequence[GiProfile], kept: Sequence[Kept], wanted: Sequence[WantedGi]
) -> tuple[Sequence[GiProfile], Ways]:
    """The profiles without a start, in the order in which they were placed, and all ways."""
    by_name = {each.profile: each for each in profiles}
    names = [*(name for name, _ in kept), *(each.profile for each in wanted)]
    if not _counts_fit(by_name, kept, wanted) or not media_fit(names):
        return (), {}
    used, fixed = taken(place for _, place in kept), _fixed(by_name, wanted)
    if fixed is None or not _apart(used, fixed.values()):
        return (), {}
    free = Counter(each.profile for each in wanted if each.start is None)
    order = sorted((by_name[name] for name in free), key=_largest_first)
    used |= taken(fixed.values())
    if _needs(order, free) > (units(Placement(0, unit_count(profiles))) & ~used).bit_count():
        return (), {}
    ways: Ways = {used: ()}
    for profile in order:
        ways = _spread(ways, profile.placements, free[profile.profile])
    return order, ways


def _needs(order: Sequence[GiProfile], free: Counter[str]) -> int:
    return sum(min(place.size for place in each.placements) * free[each.profile] for each in order)


def _largest_first(profile: GiProfile) -> tuple[int, int, str]:
    return -max(place.size for place in profile.placements), -profile.slices, profile.profile


def _counts_fit(
    by_name: dict[str, GiProfile], kept: Sequence[Kept], wanted: Sequence[WantedGi]
) -> bool:
    there = Counter(name for name, _ in kept)
    return all(
        name in by_name
        and by_name[name].placements
        and count <= by_name[name].max_count - there[name]
        for name, count in Counter(each.profile for each in wanted).items()
    )


def _fixed(
    by_name: dict[str, GiProfile], wanted: Sequence[WantedGi]
) -> dict[int, Placement] | None:
    """Position in `wanted` -> its place, of those that name a start; None: an impossible one."""
    found = {
        number: at(by_name[each.profile], each.start)
        for number, each in enumerate(wanted)
        if each.start is not None
    }
    possible = {number: place for number, place in found.items() if place is not None}
    return possible if len(possible) == len(found) else None


def _apart(used: int, places: Iterable[Placement]) -> bool:
    for place in places:
        if used & units(place):
            return False
        used |= units(place)
    return True


def _spread(ways: Ways, placements: Sequence[Placement], count: int) -> Ways:
    """All ways to take `count` of these placements more.

    Each placement is looked at once, so equal instances are never swapped.
    """
    by_number: list[Ways] = [ways, *({} for _ in range(count))]
    for place in placements:
        more = units(place)
        for number in reversed(range(count)):
            onward = by_number[number + 1]
            for used, chosen in by_number[number].items():
                if not used & more:
                    way = (*chosen, place)
                    onward[used | more] = min(way, onward.get(used | more, way))
    return by_number[count]


def _in_order(
    profiles: Sequence[GiProfile],
    wanted: Sequence[WantedGi],
    order: Sequence[GiProfile],
    chosen: Sequence[Placement],
) -> tuple[Placement, ...]:
    """The places chosen profile by profile, and the named ones, as they are wanted."""
    by_name = {each.profile: each for each in profiles}
    fixed = _fixed(by_name, wanted) or {}
    free = Counter(each.profile for each in wanted if each.start is None)
    rest = iter(chosen)
    of = {each.profile: [next(rest) for _ in range(free[each.profile])] for each in order}
    return tuple(
        fixed[number] if number in fixed else of[each.profile].pop(0)
        for number, each in enumerate(wanted)
    )
