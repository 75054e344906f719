"""Valid MIG layouts of a GPU model: every one of them, or a random one as a LAYOUT string.

The rules are written here a second time, apart from the simulator's C, so that each can judge
the other: placements may not overlap; a profile has a maximum number; one GPU instance at most
has the media extensions (+me), and all of the media engines (+me.all) leave only -me to others.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement, pairwise

from hypothesis import strategies as st

from tests.sim.models import CiProfile, GiProfile, GpuModel


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
    counts = Counter(gi.profile for gi in placed)
    few_enough = all(profile.max_count >= number for profile, number in counts.items())
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
def _some_layouts(model: GpuModel) -> tuple[tuple[PlacedGi, ...], ...]:
    return tuple(placed for placed in valid_layouts(model) if placed)


def ci_divisions(profile: GiProfile) -> Iterator[tuple[CiProfile, ...]]:
    """Ways to divide a GPU instance into smaller compute instances, the largest first.

    Only those that fit when each is put at the first place that is free: the driver places
    compute instances by itself, and how is not known.
    """
    smaller = [ci for ci in reversed(profile.ci_profiles) if ci.slices < profile.slices]
    for number in range(1, profile.slices + 1):
        for cis in combinations_with_replacement(smaller, number):
            if _first_fit(cis):
                yield cis


def _first_fit(cis: Sequence[CiProfile]) -> bool:
    taken: set[int] = set()
    for ci in cis:
        places = (set(range(start, start + ci.size)) for start in ci.starts)
        place = next((place for place in places if not place & taken), None)
        if place is None:
            return False
        taken |= place
    return True


@st.composite
def layouts(draw: st.DrawFn, model: GpuModel, *, without_ci: bool = False) -> str:
    """A LAYOUT string for `python -m tests.sim`, with one MIG device at least.

    GPU instances are named in any order, for that decides which ids they get, and with their
    starts unless they are all alike. `without_ci`: some may have no compute instance.
    """
    placed = draw(st.permutations(draw(st.sampled_from(_some_layouts(model)))))
    alike = len({gi.profile for gi in placed}) == 1
    if alike and draw(st.booleans()):
        return f"{len(placed)}x{placed[0].profile.name}"
    parts = [f"{gi}{draw(_division(gi.profile, without_ci))}" for gi in placed]
    if all(part.endswith(":none") for part in parts):
        parts[0] = str(placed[0])
    return "/".join(parts)


def _division(profile: GiProfile, without_ci: bool) -> st.SearchStrategy[str]:
    divided = ["".join(f":{ci.slices}c" for ci in cis) for cis in ci_divisions(profile)]
    return st.sampled_from(["", "", *divided, *([":none"] if without_ci else [])])
