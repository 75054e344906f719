"""The nearest set of GPU instances that fits, when the wanted one does not. Pure.

Nearest is: as many as possible just as wanted; then as many as possible of the others changed
(the start given up, or a smaller profile) rather than left out; then the most compute slices
and memory units in all; then the first in the order of what was wanted. All sets are looked at,
but of a set that does not fit no larger one.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from slurm_mig.gpu.partitioning import GiProfile, WantedGi
from slurm_mig.gpu.planning.fitting import Kept, fits
from slurm_mig.gpu.profile import parse

_DRIFT = 1.1  # drivers round the number in a name differently: 1g.24gb, 1g.23gb

Chosen = tuple[int, ...]  # positions, rising


_Kind = TypeVar("_Kind")


class _Set(NamedTuple):
    """Positions in what was wanted that stay as they are, and what others become."""

    as_wanted: Chosen
    changed: dict[int, WantedGi]


def nearest(
    profiles: Sequence[GiProfile], kept: Sequence[Kept], wanted: Sequence[WantedGi]
) -> tuple[WantedGi, ...]:
    """The nearest set to `wanted` that fits beside `kept`, in its order."""
    possible = [each for each in profiles if each.placements]

    def fit(some: Sequence[WantedGi]) -> bool:
        return fits(possible, kept, some)

    kinds = [(each.profile, each.start) for each in wanted]
    together = [[at for at, each in enumerate(kinds) if each == kind] for kind in _once(kinds)]
    found = [
        _Set(stay, changed)
        for stay in _largest(together, lambda stay: fit([wanted[number] for number in stay]))
        for changed in _changes(possible, wanted, stay, fit)
    ]
    return _members(min(found, key=lambda one: _rank(one, wanted, possible)), wanted)


def _once(kinds: Sequence[_Kind]) -> list[_Kind]:
    return list(dict.fromkeys(kinds))


def _largest(groups: Sequence[Sequence[int]], good: Callable[[Chosen], bool]) -> list[Chosen]:
    """All largest good sets of these numbers, of equal ones (a group) the first.

    What holds a set that is not good must not be good either.
    """
    groups = [group for group in groups if group and good((group[0],))]
    sets: list[tuple[Chosen, int, int]] = [((), 0, 0)]  # and how many are of which last group
    while True:
        larger = [
            ((*chosen, group[at]), number, at + 1)
            for chosen, last, of_last in sets
            for number, group in enumerate(groups[last:], last)
            if (at := of_last if number == last else 0) < len(group)
            if good((*chosen, group[at]))
        ]
        if not larger:
            return [tuple(sorted(chosen)) for chosen, _, _ in sets]
        sets = larger


def _changes(
    profiles: Sequence[GiProfile],
    wanted: Sequence[WantedGi],
    stay: Chosen,
    fit: Callable[[Sequence[WantedGi]], bool],
) -> Iterator[dict[int, WantedGi]]:
    """What the others can become beside those that stay: the largest numbers of them.

    What is changed has no start, so it is enough to look at multisets of profiles.
    """
    as_wanted = [wanted[number] for number in stay]
    left = {
        number: {each.profile: each for each in _instead(wanted[number], profiles)}
        for number in range(len(wanted))
        if number not in stay
    }
    names = _once([name for others in left.values() for name in others])
    # A number for each instance that could come: those of one name are together.
    most = min(len(left), max((len(each.placements) for each in profiles), default=0))
    slots = [range(at * most, (at + 1) * most) for at in range(len(names))]

    def new(chosen: Chosen) -> list[str]:
        return [names[number // most] for number in chosen]

    def good(chosen: Chosen) -> bool:
        fitting = fit([*as_wanted, *map(WantedGi, new(chosen))])
        return fitting and _assign(new(chosen), left) is not None

    for chosen in _largest(slots, good):
        of = _assign(new(chosen), left) or {}
        yield {number: left[number][new(chosen)[at]] for number, at in of.items()}


def _assign(names: Sequence[str], left: dict[int, dict[str, WantedGi]]) -> dict[int, int] | None:
    """Position of a wish -> that of the name that stands for it; None: there is no such match."""
    of: dict[int, int] = {}

    def find(at: int, seen: set[int]) -> bool:
        for number, others in left.items():
            if names[at] in others and number not in seen:
                seen.add(number)
                if number not in of or find(of[number], seen):
                    of[number] = at
                    return True
        return False

    return of if all(find(at, set()) for at in range(len(names))) else None


def _members(one: _Set, wanted: Sequence[WantedGi]) -> tuple[WantedGi, ...]:
    both = {number: wanted[number] for number in one.as_wanted} | one.changed
    return tuple(both[number] for number in sorted(both))


def _rank(
    one: _Set, wanted: Sequence[WantedGi], profiles: Sequence[GiProfile]
) -> tuple[int, int, int, Chosen]:
    """The nearest has the lowest: see the top of this module."""
    by_name = {each.profile: each for each in profiles}
    every = [by_name[each.profile] for each in _members(one, wanted)]
    slices, units = sum(each.slices for each in every), sum(_size(each) for each in every)
    return -len(one.changed), -slices, -units, one.as_wanted


def _size(profile: GiProfile) -> int:
    return profile.placements[0].size


def _instead(wish: WantedGi, profiles: Sequence[GiProfile]) -> Iterator[WantedGi]:
    """The same elsewhere, or any profile that asks less; a wish for its CIs is then given up.

    Plain ones come last: of equals, the first is taken.
    """
    known = next((each for each in profiles if each.profile == wish.profile), None)
    if known is not None and wish.start is not None:
        yield wish._replace(start=None)
    for profile in sorted(profiles, key=lambda each: each.profile.endswith("gb")):
        if profile.profile != wish.profile and _less(profile, wish.profile, known):
            yield WantedGi(profile.profile, None, () if wish.cis == () else None)


def _less(profile: GiProfile, wish: str, known: GiProfile | None) -> bool:
    """Whether a profile asks no more of anything; a wish that is unknown is taken by its name."""
    try:
        old, new = parse(wish), parse(profile.profile)
    except ValueError:
        return False
    plainer = new.attribute == "" and old.attribute.startswith("+")
    if new.attribute != old.attribute and not plainer:
        return False
    if known is None:
        return new.gi_slices <= old.gi_slices and new.memory_gb <= old.memory_gb * _DRIFT
    return _size(profile) <= _size(known) and profile.slices <= known.slices
