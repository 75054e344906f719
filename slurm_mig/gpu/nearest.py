"""The nearest set of GPU instances that fits, when the wanted one does not. Pure.

Nearest is: as many as possible just as wanted; then as many as possible of the others changed
(the start given up, or a smaller profile) rather than left out; then the most compute slices
and memory units in all; then the first in the order of what was wanted. All sets are looked at,
but of a set that does not fit no larger one.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from slurm_mig.gpu.fitting import Kept, fits
from slurm_mig.gpu.partitioning import GiProfile, WantedGi
from slurm_mig.gpu.profile import parse

_DRIFT = 1.1  # drivers round the number in a name differently: 1g.24gb, 1g.23gb

Fits = Callable[[Sequence[WantedGi]], bool]


class _Set(NamedTuple):
    """Positions in what was wanted that stay as they are, and what others become."""

    as_wanted: tuple[int, ...] = ()
    changed: tuple[tuple[int, WantedGi], ...] = ()


def nearest(
    profiles: Sequence[GiProfile], kept: Sequence[Kept], wanted: Sequence[WantedGi]
) -> tuple[WantedGi, ...]:
    """The nearest set to `wanted` that fits beside `kept`, in its order."""
    possible = [each for each in profiles if each.placements]
    equals_together = sorted(range(len(wanted)), key=lambda number: wanted.index(wanted[number]))

    def one_more(one: _Set) -> Iterator[_Set]:
        for number in _next(equals_together, one.as_wanted[-1:], wanted):
            yield one._replace(as_wanted=(*one.as_wanted, number))

    def one_changed(one: _Set) -> Iterator[_Set]:
        left = [number for number in equals_together if number not in one.as_wanted]
        for number in _next(left, [number for number, _ in one.changed[-1:]], wanted):
            for other in _instead(wanted[number], possible):
                yield one._replace(changed=(*one.changed, (number, other)))

    def fit(some: Sequence[WantedGi]) -> bool:
        return fits(possible, kept, some)

    largest = _grown([_Set()], one_more, wanted, fit)
    found = _grown(largest, one_changed, wanted, fit)
    return _members(max(found, key=lambda one: _amount(_members(one, wanted), possible)), wanted)


def _grown(
    sets: Sequence[_Set],
    grow: Callable[[_Set], Iterator[_Set]],
    wanted: Sequence[WantedGi],
    fit: Fits,
) -> Sequence[_Set]:
    """The sets grown as far as they fit: none of the last could have one more."""
    while True:
        grown: dict[tuple[tuple[str, int], ...], _Set] = {}
        for one in sets:
            for more in grow(one):
                grown.setdefault(_alike(_members(more, wanted)), more)
        fitting = [more for more in grown.values() if fit(_members(more, wanted))]
        if not fitting:
            return sets
        sets = fitting


def _next(order: Sequence[int], last: Sequence[int], wanted: Sequence[WantedGi]) -> Iterator[int]:
    """The positions after the last one taken; of equal wishes the first alone."""
    after = order.index(last[0]) + 1 if last else 0
    seen = set()
    for number in order[after:]:
        if wanted[number] not in seen:
            seen.add(wanted[number])
            yield number


def _members(one: _Set, wanted: Sequence[WantedGi]) -> tuple[WantedGi, ...]:
    both = [*((number, wanted[number]) for number in one.as_wanted), *one.changed]
    return tuple(each for _, each in sorted(both, key=lambda pair: pair[0]))


def _alike(some: Sequence[WantedGi]) -> tuple[tuple[str, int], ...]:
    """What is the same for sets that differ in order and in compute instances only."""
    return tuple(sorted((each.profile, -1 if each.start is None else each.start) for each in some))


def _amount(some: Sequence[WantedGi], profiles: Sequence[GiProfile]) -> tuple[int, int]:
    """Compute slices and memory units in all."""
    by_name = {each.profile: each for each in profiles}
    every = [by_name[each.profile] for each in some]
    return sum(each.slices for each in every), sum(each.placements[0].size for each in every)


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
    smaller = profile.placements[0].size <= known.placements[0].size
    return smaller and profile.slices <= known.slices
