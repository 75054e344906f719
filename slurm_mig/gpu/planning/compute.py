"""Compute instances inside one GPU instance: what fits, and which of the live ones can stay. Pure.

NVML tells their possible places only once the GPU instance is there, so a rule stands for them:
one of n slices begins at a multiple of the power of two that holds it, as GPU instances do. It
gives the maximum numbers that are published. Several in one GPU instance are given their starts,
for the driver, who takes the first place, finds none for 3c + 2c + 2c; one alone is left to it.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from slurm_mig.gpu.partitioning import CiSpec, GiProfile, LiveCi, WantedGi
from slurm_mig.gpu.planning.fitting import places, taken
from slurm_mig.gpu.profile import Profile, gi_profile, parse
from slurm_mig.model import Placement, ProfileId

# What a GPU instance of so many slices offers, as published (a 4g has no 3c); of others, anything.
_OFFERED = {1: (1,), 2: (1, 2), 3: (1, 2, 3), 4: (1, 2, 4), 7: (1, 2, 3, 4, 7)}


class CiChange(NamedTuple):
    """What becomes of the compute instances of a GPU instance that stays."""

    keep: tuple[LiveCi, ...]
    go: tuple[LiveCi, ...]
    come: tuple[CiSpec, ...]  # by their starts


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
    elif len(sizes) == len(cis) and _placed([], [CiSpec(name) for name in cis]) is None:
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
            come = None if rest is None else _placed(keep, rest)
            if come is not None:
                return CiChange(keep, tuple(ci for ci in live if ci not in keep), come)
    return CiChange((), live, wanted)


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


def _placed(keep: Sequence[LiveCi], come: Sequence[CiSpec]) -> tuple[CiSpec, ...] | None:
    """What comes, with starts and in their order; None: there is no place, or nobody knows."""
    if not come or (not keep and len(come) == 1):
        return tuple(come)
    named = [*(ci.spec for ci in keep), *(spec for spec in come if spec.start is not None)]
    kept = [(_size(spec), place) for spec in named if (place := _place(spec)) is not None]
    used = [place for _, place in kept]
    if len(kept) < len(named) or taken(used).bit_count() < sum(place.size for place in used):
        return None
    free = [spec for spec in come if spec.start is None]
    offered = [_offer(spec) for spec in dict.fromkeys(free)]
    found = places(offered, kept, [WantedGi(_size(spec)) for spec in free])
    if found is None:
        return None
    starts = iter([place.start for place in found])
    made = [spec if spec.start is not None else spec._replace(start=next(starts)) for spec in come]
    return tuple(sorted(made, key=lambda spec: spec.start or 0))


def _place(spec: CiSpec) -> Placement | None:
    """Where a compute instance lies, in compute slices."""
    ci = _parsed(spec.ci_profile)
    return None if ci is None or spec.start is None else Placement(spec.start, ci.ci_slices)


def _size(spec: CiSpec) -> str:
    """What the solver calls it: it must not see the +me of the GPU instance's name."""
    ci = _parsed(spec.ci_profile)
    return spec.ci_profile if ci is None else f"{ci.ci_slices}c"


def _offer(spec: CiSpec) -> GiProfile:
    """The rule, in the words of the solver: a size and its places."""
    ci = _parsed(spec.ci_profile)
    if ci is None:
        return GiProfile(_size(spec), ProfileId(0), 0, 0, 0, 0, ())
    step = 1 << (ci.ci_slices - 1).bit_length()
    starts = range(0, ci.gi_slices - ci.ci_slices + 1, step)
    everywhere = tuple(Placement(start, ci.ci_slices) for start in starts)
    return GiProfile(_size(spec), ProfileId(0), 0, 0, 0, len(everywhere), everywhere)


def _parsed(name: str) -> Profile | None:
    try:
        return parse(name)
    except ValueError:
        return None
