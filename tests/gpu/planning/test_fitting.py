"""The bits under the solver."""

import pytest

from slurm_mig.gpu.planning.fitting import (
    at,
    fits,
    media_fit,
    places,
    room,
    taken,
    unit_count,
    units,
)
from slurm_mig.model import Placement
from tests.gpu import oracle
from tests.gpu.papergpu import profiles, wish
from tests.layouts import PlacedGi, compatible
from tests.sim.models import load, mig_keys

A100 = profiles(load("a100-40gb"))


def test_units_are_bits() -> None:
    assert units(Placement(0, 1)) == 0b1
    assert units(Placement(4, 4)) == 0b11110000
    assert taken([Placement(0, 2), Placement(6, 1), Placement(0, 1)]) == 0b1000011
    assert taken([]) == 0


@pytest.mark.parametrize("key", mig_keys())
def test_units_are_counted_by_the_placements(key: str) -> None:
    assert unit_count(profiles(load(key))) == load(key).units
    assert unit_count(()) == 0


def test_a_place_by_its_start() -> None:
    by_name = {each.profile: each for each in A100}
    assert at(by_name["3g.20gb"], 4) == Placement(4, 4)
    assert at(by_name["3g.20gb"], 2) is None


@pytest.mark.parametrize("key", mig_keys())
def test_room_is_what_touches_nothing(key: str) -> None:
    offered = profiles(load(key))
    for placed in oracle.every_layout(key)[::7]:
        used = [oracle.place(gi) for gi in placed]
        assert room(offered, taken(used)) == oracle.room(offered, used)


def test_media_engines_by_the_other_statement_of_the_rule() -> None:
    """Any two or three profiles of the RTX, far apart from each other."""
    every = load("rtx-pro-6000-96gb").profiles
    for one in every:
        for two in every:
            for three in (None, *every):
                together = [each for each in (one, two, three) if each is not None]
                placed = [PlacedGi(each, 100 * number) for number, each in enumerate(together)]
                names = [each.name for each in together]
                few = all(names.count(each.name) <= each.max_count for each in together)
                assert not few or media_fit(names) == compatible(placed), names


def test_fits_and_places_say_the_same() -> None:
    for texts in (["3g.20gb", "3g.20gb@0"], ["3g.20gb@4", "4g.20gb"], ["7g.40gb", "1g.5gb"], []):
        wanted = [wish(text) for text in texts]
        assert fits(A100, (), wanted) == (places(A100, (), wanted) is not None)


def test_what_stays_may_even_overlap() -> None:
    """It cannot be, but what a driver says is not ours to doubt."""
    kept = [("3g.20gb", Placement(0, 4)), ("2g.10gb", Placement(2, 2))]
    assert places(A100, kept, [wish("3g.20gb")]) == (Placement(4, 4),)
