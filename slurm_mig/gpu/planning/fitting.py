"""The search under placement.py: GPU instances on memory units, as bits of an int. Pure.

It is complete and cannot blow up: what is kept of all ways to place some instances is one for
each set of units that they take, of which 12 units have 4096 at most.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_
from typing import NamedTuple

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
    return _free(_all_units(profiles), used)


def places(
    profiles: Sequence[GiProfile], kept: Sequence[Kept], wanted: Sequence[WantedGi]
) -> tuple[Placement, ...] | None:
    """Places for all that is wanted, in its order, beside what is kept; None: there are none.

    Of all solutions it is the one with the most `room` left, and of equal ones the one that
    puts the larger profiles lowest.
    """
    asked = _ask(profiles, kept, wanted)
    ways: Ways = {} if asked is None else {asked.used: ()}
    for everywhere, count in () if asked is None else asked.groups:
        ways = _spread(ways, everywhere, count)
    if asked is None or not ways:
        return None
    all_units = _all_units(profiles)
    best = min((-_free(all_units, used), chosen) for used, chosen in ways.items())
    found = asked.fixed | dict(zip(asked.order, best[1], strict=True))
    return tuple(found[number] for number in range(len(wanted)))


def fits(profiles: Sequence[GiProfile], kept: Sequence[Kept], wanted: Sequence[WantedGi]) -> bool:
    """Whether there are places at all."""
    asked = _ask(profiles, kept, wanted)
    if asked is None:
        return False
    ways: Ways = {asked.used: ()}
    for at_group, (everywhere, count) in enumerate(asked.groups):
        if any(_greedy(used, asked.groups[at_group:]) for used in ways):
            return True
        ways = _spread(ways, everywhere, count)
    return bool(ways)


Ways = dict[int, tuple[Placement, ...]]  # units taken -> the first way to come to them
Group = tuple[tuple[Placement, ...], int]  # possible places, and how many of them are wanted


class _Asked(NamedTuple):
    """A question without what forbids itself: only the units stand in the way of a solution.

    `fixed` and `order` hold positions in what was wanted: those that name their start, and the
    others as they are placed. Profiles with the same places are one group, so that nothing
    that is equal to the units is ever swapped.
    """

    used: int
    fixed: dict[int, Placement]
    order: tuple[int, ...]
    groups: tuple[Group, ...]


def _ask(
    profiles: Sequence[GiProfile], kept: Sequence[Kept], wanted: Sequence[WantedGi]
) -> _Asked | None:
    """The question; None where counts, media engines, starts or the number of units say no."""
    by_name = {each.profile: each for each in profiles}
    names = [*(name for name, _ in kept), *(each.profile for each in wanted)]
    if not _counts_fit(by_name, kept, wanted) or not media_fit(names):
        return None
    used, fixed = taken(place for _, place in kept), _fixed(by_name, wanted)
    if fixed is None or not _apart(used, fixed.values()):
        return None
    free = [number for number in range(len(wanted)) if number not in fixed]
    order = sorted(free, key=lambda number: _largest_first(by_name[wanted[number].profile]))
    every = [by_name[wanted[number].profile].placements for number in order]
    used |= taken(fixed.values())
    left = units(Placement(0, unit_count(profiles))) & ~used
    if sum(min(place.size for place in each) for each in every) > left.bit_count():
        return None
    return _Asked(used, fixed, tuple(order), tuple(Counter(every).items()))


def _largest_first(profile: GiProfile) -> tuple[int, tuple[Placement, ...], int, str]:
    size = max(place.size for place in profile.placements)
    return -size, profile.placements, -profile.slices, profile.profile


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
    """All ways to take `count` of these placements more: each is looked at once."""
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


def _greedy(used: int, groups: Sequence[Group]) -> bool:
    """Whether it works to take the lowest free place each time: it often does."""
    for everywhere, count in groups:
        for place in everywhere:
            if count and not used & units(place):
                used |= units(place)
                count -= 1
        if count:
            return False
    return True


def _all_units(profiles: Sequence[GiProfile]) -> list[int]:
    return [units(place) for each in profiles for place in each.placements]


def _free(all_units: Sequence[int], used: int) -> int:
    return sum(not used & more for more in all_units)
