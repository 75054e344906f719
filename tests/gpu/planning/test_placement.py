"""The solver finds every set that fits, and none that does not."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.gpu.partitioning import GiProfile, WantedGi
from slurm_mig.gpu.planning.fitting import Kept, fits
from slurm_mig.gpu.planning.placement import Impossible, Why, solve
from slurm_mig.model import Placement, ProfileId
from tests.gpu import oracle
from tests.gpu.oracle import every_layout, place
from tests.gpu.papergpu import profiles, wish
from tests.gpu.repeatable import REPEATABLE
from tests.layouts import PlacedGi, compatible
from tests.sim import library
from tests.sim.api import Sim
from tests.sim.models import GpuModel, load, mig_keys
from tests.test_layouts import A100_CONFIGURATIONS

A100 = profiles(load("a100-40gb"))
# One of each geometry: the other models differ from these in names and sizes alone.
GEOMETRIES = ("a100-40gb", "a30-24gb", "rtx-pro-6000-96gb")


def anywhere(names: Sequence[str]) -> list[WantedGi]:
    return [WantedGi(name) for name in names]


def solved(
    found: tuple[Placement, ...] | Impossible, wanted: Sequence[WantedGi]
) -> tuple[Placement, ...]:
    assert not isinstance(found, Impossible), (str(found), wanted)
    return found


def laid_out(
    model: GpuModel, wanted: Sequence[WantedGi], found: Sequence[Placement]
) -> list[PlacedGi]:
    """The solution as the judge of layouts has it; the sizes are right."""
    placed = [
        PlacedGi(model.profile(each.profile), at.start)
        for each, at in zip(wanted, found, strict=True)
    ]
    assert [place(gi) for gi in placed] == list(found)
    assert all(gi.start in gi.profile.starts for gi in placed)
    return sorted(placed, key=lambda gi: gi.start)


@pytest.mark.parametrize("key", mig_keys())
def test_exactly_the_sets_that_fit_are_found(key: str) -> None:
    """All multisets: those that fit are solved, and none that is one larger and does not fit.

    What holds a set that does not fit does not fit either, so no other needs to be looked at.
    """
    model, offered = load(key), profiles(load(key))
    possible = set(oracle.by_names(key))
    for names in possible:
        wanted = anywhere(names)
        placed = laid_out(model, wanted, solved(solve(offered, (), wanted), wanted))
        assert compatible(placed)
        for profile in offered:
            larger = tuple(sorted((*names, profile.profile)))
            assert fits(offered, (), anywhere(larger)) == (larger in possible), larger


@pytest.mark.parametrize("key", GEOMETRIES)
def test_what_does_not_fit_has_reasons_and_a_nearest_set_that_does(key: str) -> None:
    """Every full set with one instance more."""
    offered, possible = profiles(load(key)), set(oracle.by_names(key))
    names_of = [profile.profile for profile in offered]
    for names in possible:
        larger = [tuple(sorted((*names, name))) for name in names_of]
        for wanted in [anywhere(each) for each in larger if each not in possible]:
            found = solve(offered, (), wanted)
            assert isinstance(found, Impossible)
            assert found.reasons
            assert all(reason.text for reason in found.reasons)
            nearest = tuple(sorted(each.profile for each in found.nearest))
            assert nearest in possible
            assert len(nearest) >= len(names)


@pytest.mark.parametrize("key", mig_keys())
def test_every_layout_with_its_starts_is_found_as_it_is(key: str) -> None:
    offered = profiles(load(key))
    for placed in every_layout(key):
        wanted = [WantedGi(gi.profile.name, gi.start) for gi in placed]
        assert solve(offered, (), wanted) == tuple(place(gi) for gi in placed)


@pytest.mark.parametrize("slices", A100_CONFIGURATIONS, ids=str)
def test_the_published_configurations_of_the_a100(slices: tuple[int, ...]) -> None:
    """All 19 of the user guide's figure: as a set, and where the figure has them."""
    plain = {1: "1g.5gb", 2: "2g.10gb", 3: "3g.20gb", 4: "4g.20gb", 7: "7g.40gb"}
    wanted = anywhere([plain[number] for number in slices])
    solved(solve(A100, (), wanted), wanted)
    sizes = [A100[at].placements[0].size for at in (index_of(each.profile) for each in wanted)]
    starts = [sum(sizes[:at]) for at in range(len(sizes))]
    named = [each._replace(start=start) for each, start in zip(wanted, starts, strict=True)]
    assert [at.start for at in solved(solve(A100, (), named), named)] == starts


def index_of(profile: str) -> int:
    return [each.profile for each in A100].index(profile)


def test_no_full_set_of_the_a100_but_the_published_ones() -> None:
    """Grown by the solver alone, from nothing, one instance at a time."""
    plain = {1: "1g.5gb", 2: "2g.10gb", 3: "3g.20gb", 4: "4g.20gb", 7: "7g.40gb"}
    sets: set[tuple[int, ...]] = {()}
    full: set[tuple[int, ...]] = set()
    while sets:
        onward = set()
        for slices in sets:
            more = {
                tuple(sorted((*slices, one)))
                for one in plain
                if fits(A100, (), anywhere([plain[n] for n in (*slices, one)]))
            }
            onward |= more
            full |= set() if more else {slices}
        sets = onward
    published = {tuple(sorted(slices)) for slices in A100_CONFIGURATIONS}
    # Two rows, with the 3g on the left, are full only where they lie: elsewhere a 1g more fits.
    assert full == published - {(1, 2, 3), (1, 1, 1, 3)}
    assert {(1, 1, 2, 3), (1, 1, 1, 1, 3)} <= full


@st.composite
def questions(draw: st.DrawFn, key: str) -> tuple[list[Kept], list[WantedGi]]:
    """Some of a layout stays, and some of another is wanted, here and there with its start."""
    every = st.sampled_from(every_layout(key))
    stay = [gi for gi in draw(every) if draw(st.booleans())]
    come = [gi for gi in draw(every) if draw(st.booleans())]
    wanted = [WantedGi(gi.profile.name, draw(st.sampled_from((None, gi.start)))) for gi in come]
    return [(gi.profile.name, place(gi)) for gi in stay], draw(st.permutations(wanted))


@pytest.mark.parametrize("key", GEOMETRIES)
@REPEATABLE
@given(data=st.data())
def test_beside_what_stays(key: str, data: st.DataObject) -> None:
    """Solved when there is a solution, and then with the most room that any leaves."""
    model, offered = load(key), profiles(load(key))
    kept, wanted = data.draw(questions(key))
    found = solve(offered, kept, wanted)
    there_are = oracle.solutions(key, kept, wanted)
    assert isinstance(found, Impossible) == (not there_are)
    if isinstance(found, Impossible):
        assert oracle.solutions(key, kept, found.nearest)
        return
    stay = [PlacedGi(model.profile(name), at.start) for name, at in kept]
    together = [*laid_out(model, wanted, found), *stay]
    assert compatible(sorted(together, key=lambda gi: gi.start))
    most = max(oracle.room(offered, [place(gi) for gi in one]) for one in there_are)
    assert oracle.room(offered, [place(gi) for gi in together]) == most
    asked = [at.start for each, at in zip(wanted, found, strict=True) if each.start is not None]
    assert asked == [each.start for each in wanted if each.start is not None]


@st.composite
def invented(draw: st.DrawFn) -> tuple[tuple[GiProfile, ...], list[WantedGi]]:
    """A GPU that nobody sells, of up to 12 units, with starts that keep no order at all."""
    units = draw(st.integers(1, 12))
    offered = []
    for number in range(draw(st.integers(1, 4))):
        size = draw(st.integers(1, units))
        starts = draw(st.sets(st.integers(0, units - size), min_size=1))
        places = tuple(Placement(start, size) for start in sorted(starts))
        most = draw(st.integers(1, len(places)))
        offered.append(GiProfile(f"1g.{number + 1}gb", ProfileId(number), 1, 1, 1, most, places))
    wanted = []
    for profile in offered:
        for _ in range(draw(st.integers(0, profile.max_count))):
            starts_of = [at.start for at in profile.placements]
            wanted.append(
                WantedGi(profile.profile, draw(st.sampled_from([None, None, *starts_of])))
            )
    return tuple(offered), wanted


def by_trial(offered: Sequence[GiProfile], wanted: Sequence[WantedGi], taken: int = 0) -> bool:
    """The plainest search there is."""
    if not wanted:
        return True
    profile = next(each for each in offered if each.profile == wanted[0].profile)
    for at in profile.placements:
        bits = sum(1 << unit for unit in range(at.start, at.start + at.size))
        free = wanted[0].start in (None, at.start) and not bits & taken
        if free and by_trial(offered, wanted[1:], taken | bits):
            return True
    return False


@REPEATABLE
@given(invented())
def test_a_gpu_that_nobody_sells(question: tuple[tuple[GiProfile, ...], list[WantedGi]]) -> None:
    offered, wanted = question
    found = solve(offered, (), wanted)
    assert isinstance(found, Impossible) != by_trial(offered, wanted)
    if not isinstance(found, Impossible):
        units = [unit for at in found for unit in range(at.start, at.start + at.size)]
        assert len(units) == len(set(units))


def test_equal_ones_on_twelve_units_are_no_trouble() -> None:
    """Twelve of one unit, in three kinds: 12! ways, were equal places told apart."""
    kinds = ("1g.1gb", "1g.1gb+gfx", "1g.1gb-me")
    places = tuple(Placement(start, 1) for start in range(12))
    offered = tuple(GiProfile(kind, ProfileId(0), 1, 1, 1, 12, places) for kind in kinds)
    wanted = anywhere(kinds * 4)
    found = solved(solve(offered, (), wanted), wanted)
    assert sorted(at.start for at in found) == list(range(12))
    more = solve(offered, (), [*wanted, WantedGi(kinds[0])])
    assert isinstance(more, Impossible)
    assert more.reasons[0].why == Why.UNITS
    assert len(more.nearest) == 12


@pytest.mark.parametrize(
    ("wishes", "where"),
    [
        (["1g.5gb"], [6]),
        (["2g.10gb"], [4]),
        (["3g.20gb"], [4]),
        (["3g.20gb", "3g.20gb"], [0, 4]),
        (["1g.5gb", "1g.5gb", "2g.10gb", "3g.20gb"], [2, 3, 0, 4]),
        (["3g.20gb", "1g.5gb@6"], [0, 6]),
        (["1g.5gb"] * 7, [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_what_is_preferred(wishes: list[str], where: list[int]) -> None:
    wanted = [wish(text) for text in wishes]
    assert [at.start for at in solved(solve(A100, (), wanted), wanted)] == where


def test_equal_wishes_come_in_their_order() -> None:
    """The first one lies lowest, whatever stands between them."""
    wanted = [wish(text) for text in ("1g.5gb:none", "2g.10gb", "1g.5gb")]
    first, _, second = solved(solve(A100, (), wanted), wanted)
    assert first < second


@pytest.mark.parametrize("key", mig_keys())
def test_a_single_one_lies_where_the_simulated_driver_puts_it(
    key: str, new_sim: Callable[..., Sim]
) -> None:
    """Which is as NVIDIA's does, as far as is published: tests/sim/README.md."""
    sim, model = new_sim(f"{key}=mig"), load(key)
    for profile in model.profiles:
        wanted = [WantedGi(profile.name)]
        (at,) = solved(solve(profiles(model), (), wanted), wanted)
        code, _ = library.create("create_gi", sim.dir, 0, profile.profile_id, library.NONE)
        assert code == 0
        shown: dict[str, Any] = sim.show()["gpus"][0]["gpu_instances"][0]["placement"]
        assert shown == at._asdict()
        library.must("clear", sim.dir, 0)


def test_nothing_wanted_is_solved() -> None:
    assert solve(A100, (), []) == ()
    assert solve((), (), []) == ()
    assert solve(A100, [("7g.40gb", Placement(0, 8))], []) == ()


def test_a_driver_that_names_no_profiles() -> None:
    found = solve((), (), anywhere(["1g.5gb"]))
    assert isinstance(found, Impossible)
    assert found.nearest == ()
    assert "no profile 1g.5gb: the driver names none" in str(found)
    assert str(found).endswith("(what fits: nothing of it)")


def test_an_unknown_one_that_stays_keeps_its_units() -> None:
    strange: list[Kept] = [("9g.99gb", Placement(0, 4))]
    wanted = anywhere(["3g.20gb"])
    assert solve(A100, strange, wanted) == (Placement(4, 4),)
    found = solve(A100, [*strange, ("1g.5gb", Placement(6, 1))], wanted)
    assert isinstance(found, Impossible)
    assert found.reasons[0].why == Why.BLOCKED
