"""Compute instances inside one GPU instance: what fits, and which of the live ones can stay. Pure.

NVML tells their possible places only once the GPU instance is there, so a rule stands for them:
one of n slices begins at a multiple of the power of two that holds it, as GPU instances do. It
gives the maximum numbers that are published. Places themselves are left to the driver.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from slurm_mig.gpu.partitioning import CiSpec, GiProfile, LiveCi
from slurm_mig.gpu.profile import Profile, gi_profile, parse

# What a GPU instance of so many slices offers, as published (a 4g has no 3c); of others, anything.
_OFFERED = {1: (1,), 2: (1, 2), 3: (1, 2, 3), 4: (1, 2, 4), 7: (1, 2, 3, 4, 7)}


class CiChange(NamedTuple):
    """What becomes of the compute instances of a GPU instance that stays."""

    keep: tuple[LiveCi, ...]
    go: tuple[LiveCi, ...]
    come: tuple[CiSpec, ...]  # in the order in which to make them


def whole(profile: str) -> tuple[CiSpec, ...]:
    """The one compute instance that has all of its GPU instance."""
    return (CiSpec(profile),)


def problems_of(profile: GiProfile, cis: Sequence[str]) -> Iterator[str]:
    """Why these compute instances cannot be in a GPU instance of this profile."""
    sizes = []
    for name in cis:
        ci = _parsed(name)
        offered = _OFFERED.get(profile.slices)
        if ci is None or gi_profile(name) != profile.profile:
            yield f"{name!r} is no compute instance of a {profile.profile}"
        elif offered is not None and ci.ci_slices not in offered:
            there = ", ".join(f"{slices}c" for slices in offered)
            yield f"a {profile.profile} offers no {name}, only {there}"
        else:
            sizes.append(ci.ci_slices)
    if sum(sizes) > profile.slices:
        yield f"{' + '.join(cis)} has {sum(sizes)} slices, and a {profile.profile} {profile.slices}"
    elif len(sizes) == len(cis) and not _room_for([], [CiSpec(name) for name in cis]):
        yield f"{' + '.join(cis)} has no place in a {profile.profile}"


@lru_cache(4096)
def change(live: tuple[LiveCi, ...], wanted: tuple[CiSpec, ...], sm_count: int | None) -> CiChange:
    """The fewest compute instances that go, and what comes, so that the wanted ones are there.

    `sm_count` is the GPU instance's (None: unknown): one with all slices but fewer SMs is not
    what is wanted, unless the wanted one names its ci_profile_id.
    """
    for number in range(min(len(live), len(wanted)), -1, -1):
        for keep in combinations(live, number):
            rest = _without(keep, wanted, sm_count)
            if rest is not None and (not rest or _room_for(keep, rest)):
                go = tuple(ci for ci in live if ci not in keep)
                return CiChange(keep, go, tuple(sorted(rest, key=_first_to_make)))
    return CiChange((), live, tuple(sorted(wanted, key=_first_to_make)))


def _without(
    keep: Sequence[LiveCi], wanted: tuple[CiSpec, ...], sm_count: int | None
) -> tuple[CiSpec, ...] | None:
    """What is still wanted when each of `keep` is one of the wanted; None: they are not."""
    if not keep:
        return wanted
    for spec in dict.fromkeys(wanted):
        if satisfies(keep[0], spec, sm_count):
            at = wanted.index(spec)
            rest = _without(keep[1:], wanted[:at] + wanted[at + 1 :], sm_count)
            if rest is not None:
                return rest
    return None


def satisfies(live: LiveCi, wanted: CiSpec, sm_count: int | None) -> bool:
    """Whether a live compute instance is what is wanted."""
    same = live.spec.ci_profile == wanted.ci_profile
    placed = wanted.start in (None, live.spec.start)
    if wanted.ci_profile_id is not None:
        return same and placed and live.spec.ci_profile_id == wanted.ci_profile_id
    has_all = gi_profile(wanted.ci_profile) == wanted.ci_profile
    return same and placed and not (has_all and sm_count is not None and live.sm_count < sm_count)


def _first_to_make(spec: CiSpec) -> tuple[bool, int, int, str]:
    """Those with a start first, then the largest: so the driver finds a place for each."""
    start = -1 if spec.start is None else spec.start
    return spec.start is None, start, -_slices(spec), spec.ci_profile


def _room_for(keep: Sequence[LiveCi], come: Sequence[CiSpec]) -> bool:
    """Whether each finds a place, made in order, at the lowest one that is free."""
    used = 0
    for ci in keep:
        if ci.spec.start is None:
            return False  # nobody knows where it is
        used |= _bits(ci.spec.start, _slices(ci.spec))
    for spec in sorted(come, key=_first_to_make):
        slices, all_slices = _slices(spec), _gi_slices(spec)
        step = 1 << (slices - 1).bit_length()
        starts = range(0, all_slices - slices + 1, step) if spec.start is None else (spec.start,)
        free = [_bits(start, slices) for start in starts if not used & _bits(start, slices)]
        if not free:
            return False
        used |= free[0]
    return True


def _bits(start: int, slices: int) -> int:
    return ((1 << slices) - 1) << start


def _parsed(name: str) -> Profile | None:
    try:
        return parse(name)
    except ValueError:
        return None


def _slices(spec: CiSpec) -> int:
    """Of a name that cannot be read, one: then the driver judges."""
    ci = _parsed(spec.ci_profile)
    return 1 if ci is None else ci.ci_slices


def _gi_slices(spec: CiSpec) -> int:
    ci = _parsed(spec.ci_profile)
    return 1 if ci is None else ci.gi_slices
