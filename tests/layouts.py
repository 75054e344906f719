"""Valid MIG layouts of a GPU model: every one of them, or a random one as a LAYOUT string.

The rules are written here a second time, apart from the simulator's C, so that each can judge
the other: placements may not overlap; a profile has a maximum number; one GPU instance at most
has the media extensions (+me), and all of the media engines (+me.all) leave only -me to others.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from hypothesis import strategies as st

from tests.sim.models import CiProfile, GiProfile, GpuModel, load


@dataclass(frozen=True)
class PlacedGi:
    """A GPU instance of one profile at one of its starts."""

    profile: GiProfile
    start: int

    @property
    def end(self) -> int:
        """The first memory unit after it."""
        return self.start + self.profile.size

    def __str__(self) -> str:
        return f"{self.profile.name}@{self.start}"


def compatible(placed: Sequence[PlacedGi]) -> bool:
    """Whether these GPU instances, in order of their starts, can be on one GPU together."""
    apart = all(left.end <= right.start for left, right in pairwise(placed))
    counts = Counter(gi.profile.name for gi in placed)
    few_enough = all(gi.profile.max_count >= counts[gi.profile.name] for gi in placed)
    return apart and few_enough and _media_engines_suffice([gi.profile for gi in placed])


def _media_engines_suffice(profiles: Sequence[GiProfile]) -> bool:
    if any(profile.name.endswith("+me.all") for profile in profiles):
        others = [profile for profile in profiles if not profile.name.endswith("+me.all")]
        return len(others) == len(profiles) - 1 and all(
            profile.name.endswith("-me") for profile in others
        )
    return sum(profile.name.endswith("+me") for profile in profiles) <= 1


def valid_layouts(model: GpuModel) -> Iterator[tuple[PlacedGi, ...]]:
    """Every set of GPU instances that this GPU can hold, the empty one too, by their starts."""
    return _extensions(model, (), 0)


def _extensions(
    model: GpuModel, placed: tuple[PlacedGi, ...], unit: int
) -> Iterator[tuple[PlacedGi, ...]]:
    if unit >= model.units:
        yield placed
        return
    yield from _extensions(model, placed, unit + 1)
    for profile in model.profiles:
        more = (*placed, PlacedGi(profile, unit))
        if unit in profile.starts and compatible(more):
            yield from _extensions(model, more, more[-1].end)


def maximal_layouts(model: GpuModel) -> Iterator[tuple[PlacedGi, ...]]:
    """Those of the valid layouts to which no GPU instance can be added."""
    everywhere = [
        PlacedGi(profile, start) for profile in model.profiles for start in profile.starts
    ]
    for placed in valid_layouts(model):
        if not any(compatible(_by_start(*placed, more)) for more in everywhere):
            yield placed


def _by_start(*placed: PlacedGi) -> tuple[PlacedGi, ...]:
    return tuple(sorted(placed, key=lambda gi: gi.start))


@cache
def _some_layouts(key: str) -> tuple[tuple[PlacedGi, ...], ...]:
    return tuple(placed for placed in valid_layouts(load(key)) if placed)


def ci_divisions(profile: GiProfile) -> set[tuple[int, ...]]:
    """The slices of the compute instances that can divide a GPU instance, the largest first."""
    return {
        tuple(sorted((ci.slices for ci in cis), reverse=True))
        for cis in _ci_extensions(profile, (), 0)
        if cis
    }


def _ci_extensions(
    profile: GiProfile, cis: tuple[CiProfile, ...], first: int
) -> Iterator[tuple[CiProfile, ...]]:
    if first >= profile.slices:
        yield cis
        return
    yield from _ci_extensions(profile, cis, first + 1)
    for ci in profile.ci_profiles:
        if ci.slices < profile.slices and first in ci.starts:
            yield from _ci_extensions(profile, (*cis, ci), first + ci.size)


def layouts(model: GpuModel, *, without_ci: bool = False) -> st.SearchStrategy[str]:
    """LAYOUT strings for `python -m tests.sim`, each with one MIG device at least.

    Instances are named in any order, for that decides which ids they get, and with their starts
    or without. `without_ci`: some GPU instances may have no compute instance.
    """
    # Enumerated here and not in a draw, which hypothesis would find too slow.
    return _layouts(st.sampled_from(_some_layouts(model.key)), without_ci)


@st.composite
def _layouts(
    draw: st.DrawFn, sets: st.SearchStrategy[tuple[PlacedGi, ...]], without_ci: bool
) -> str:
    placed = draw(st.permutations(draw(sets)))
    alike = len({gi.profile.name for gi in placed}) == 1
    if alike and draw(st.booleans()):
        return f"{len(placed)}x{placed[0].profile.name}"
    starts = draw(st.booleans())
    names = [str(gi) if starts else gi.profile.name for gi in placed]
    divisions = [draw(_division(gi.profile, without_ci)) for gi in placed]
    if set(divisions) == {":none"}:
        divisions[0] = ""
    return "/".join(name + division for name, division in zip(names, divisions, strict=True))


@cache
def _division(profile: GiProfile, without_ci: bool) -> st.SearchStrategy[str]:
    """The part of LAYOUT after the GPU instance: mostly nothing, that is, all of it in one."""
    in_any_order = [
        st.permutations(division).map(lambda order: "".join(f":{slices}c" for slices in order))
        for division in sorted(ci_divisions(profile))
    ]
    whole = [ci for ci in profile.ci_profiles if ci.slices == profile.slices]
    with_fewer_sm = [st.just(f":id{ci.profile_id}") for ci in whole[:-1]]
    none = [st.just(":none")] if without_ci else []
    return st.one_of(st.just(""), st.just(""), *in_any_order, *with_fewer_sm, *none)
