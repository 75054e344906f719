"""What fits on a GPU, by enumeration of everything: the judge of the solver.

All comes from tests/layouts.py, whose rules are written apart from the product's.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache

from slurm_mig.gpu.partitioning import GiProfile, WantedGi
from slurm_mig.model import Placement
from tests.layouts import PlacedGi, valid_layouts
from tests.sim.models import load

Names = tuple[str, ...]  # of profiles, sorted: a multiset
Kept = tuple[str, Placement]


@cache
def every_layout(key: str) -> tuple[tuple[PlacedGi, ...], ...]:
    """All valid layouts of a model, the empty one too."""
    return tuple(valid_layouts(load(key)))


@cache
def by_names(key: str) -> Mapping[Names, tuple[tuple[PlacedGi, ...], ...]]:
    """The layouts of a model by the multiset of their profiles."""
    found: dict[Names, list[tuple[PlacedGi, ...]]] = defaultdict(list)
    for placed in every_layout(key):
        found[names(placed)].append(placed)
    return {each: tuple(layouts) for each, layouts in found.items()}


def names(placed: Sequence[PlacedGi]) -> Names:
    """The multiset of profiles of a layout."""
    return tuple(sorted(gi.profile.name for gi in placed))


def place(gi: PlacedGi) -> Placement:
    """Where a GPU instance is."""
    return Placement(gi.start, gi.profile.size)


def solutions(
    key: str, kept: Sequence[Kept], wanted: Sequence[WantedGi]
) -> list[tuple[PlacedGi, ...]]:
    """The layouts that hold all of `kept` where it is, and all that is wanted, and no more."""
    multiset = tuple(sorted([*(name for name, _ in kept), *(each.profile for each in wanted)]))
    fixed = [(name, at.start) for name, at in kept]
    fixed += [(each.profile, each.start) for each in wanted if each.start is not None]
    if len(set(fixed)) < len(fixed):
        return []
    return [
        placed
        for placed in by_names(key).get(multiset, ())
        if set(fixed) <= {(gi.profile.name, gi.start) for gi in placed}
    ]


def room(profiles: Sequence[GiProfile], used: Sequence[Placement]) -> int:
    """How many placements touch none of those: counted unit by unit."""
    taken = {unit for at in used for unit in range(at.start, at.start + at.size)}
    everywhere = [at for each in profiles for at in each.placements]
    return sum(taken.isdisjoint(range(at.start, at.start + at.size)) for at in everywhere)
