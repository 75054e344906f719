"""The nearest set that fits: by examples, and against all sets that there are."""

from collections.abc import Iterator, Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slurm_mig.gpu.partitioning import WantedGi
from slurm_mig.gpu.planning.nearest import nearest
from slurm_mig.gpu.profile import parse
from slurm_mig.model import Placement
from tests.gpu import oracle
from tests.gpu.oracle import Kept
from tests.gpu.papergpu import profiles, wish
from tests.gpu.repeatable import REPEATABLE
from tests.sim.models import GiProfile, load

A100 = profiles(load("a100-40gb"))
RTX = profiles(load("rtx-pro-6000-96gb"))


@pytest.mark.parametrize(
    ("wishes", "fitting"),
    [
        (["3g.20gb", "3g.20gb", "1g.5gb"], ["3g.20gb", "2g.10gb", "1g.5gb"]),
        (["7g.40gb", "1g.5gb"], ["4g.20gb", "1g.5gb"]),
        (["1g.5gb"] * 9, ["1g.5gb"] * 7),
        (["1g.5gb+me", "1g.5gb+me"], ["1g.5gb+me", "1g.5gb"]),
        (["4g.20gb", "2g.10gb", "2g.10gb"], ["4g.20gb", "2g.10gb", "1g.10gb"]),
        (["3g.20gb@2", "3g.20gb@4"], ["3g.20gb", "3g.20gb@4"]),
        (["1g.5gb@3", "1g.5gb@3"], ["1g.5gb@3", "1g.5gb"]),
        (["9g.99gb"], ["7g.40gb"]),
        (["no profile", "1g.5gb"], ["1g.5gb"]),
        (["1g.6gb", "3g.20gb"], ["1g.5gb", "3g.20gb"]),
        (["1g.5gb-me"], []),
        (["3g.20gb:2c:1c", "3g.20gb:none", "1g.5gb:none"], None),
    ],
)
def test_examples(wishes: list[str], fitting: list[str] | None) -> None:
    found = nearest(A100, (), [wish(text) for text in wishes])
    if fitting is not None:
        assert found == tuple(wish(text) for text in fitting)
        return
    # What is changed cannot have the compute instances that it had; none stays none.
    assert found == (wish("3g.20gb:2c:1c"), wish("2g.10gb:none"), wish("1g.5gb:none"))


def test_more_media_engines_than_there_are() -> None:
    wishes = [wish(text) for text in ("1g.24gb+me.all", "1g.24gb", "2g.48gb-me")]
    found = nearest(RTX, (), wishes)
    assert found == (wish("1g.24gb"), wish("1g.24gb"), wish("2g.48gb-me"))


def test_a_name_that_a_new_driver_rounds_otherwise() -> None:
    wishes = [wish(text) for text in ("1g.23gb+gfx", "2g.47gb", "1g.25gb-me", "3g.24gb+me.all")]
    found = [wish(text) for text in ("1g.24gb+gfx", "2g.48gb", "1g.24gb-me")]
    assert nearest(RTX, (), wishes[:3]) == tuple(found)
    assert nearest(RTX, (), wishes[3:]) == (wish("1g.24gb+me.all"),)
    assert nearest(RTX, (), [wish("1g.12gb")]) == ()


def test_beside_what_stays() -> None:
    kept = [("1g.5gb", Placement(1, 1)), ("1g.5gb", Placement(5, 1))]
    assert nearest(A100, kept, [wish("3g.20gb")]) == (wish("2g.10gb"),)
    assert nearest(A100, [("7g.40gb", Placement(0, 8))], [wish("1g.5gb")]) == ()


def test_absurdly_many() -> None:
    """Hundreds are wanted, at every start and anywhere: the answer is as good as for a few."""
    names = [each.profile for each in A100]
    many = [WantedGi(name) for name in names * 30]
    found = nearest(A100, (), many)
    assert len(found) == 7
    assert set(found) <= set(many)
    everywhere = [WantedGi(name, start) for name in names for start in range(8)]
    assert nearest(A100, (), everywhere)[:6] == tuple(WantedGi("1g.5gb", at) for at in range(6))


def options(each: WantedGi, offered: Sequence[GiProfile]) -> Iterator[tuple[str, WantedGi | None]]:
    """What may become of one: as it is, changed, or left out."""
    (mine,) = [profile for profile in offered if profile.name == each.profile]
    attribute = parse(mine.name).attribute
    yield "as wanted", each
    yield "left out", None
    if each.start is not None:
        yield "changed", each._replace(start=None)
    for other in offered:
        plainer = parse(other.name).attribute == "" and attribute[:1] == "+"
        alike = parse(other.name).attribute == attribute or plainer
        if other != mine and alike and other.slices <= mine.slices and other.size <= mine.size:
            yield "changed", WantedGi(other.name)


def worth(key: str, ways: Sequence[tuple[str, WantedGi | None]]) -> tuple[int, int, int, int]:
    every = [load(key).profile(each.profile) for _, each in ways if each is not None]
    words = [word for word, _ in ways]
    slices, units = sum(each.slices for each in every), sum(each.size for each in every)
    return words.count("as wanted"), words.count("changed"), slices, units


def best_of_all(key: str, kept: Sequence[Kept], wanted: Sequence[WantedGi]) -> tuple[int, ...]:
    """The worth of the best of all sets, tried one by one."""
    ways = product(*(list(options(each, load(key).profiles)) for each in wanted))
    return max(
        worth(key, way)
        for way in ways
        if oracle.solutions(key, kept, [each for _, each in way if each is not None])
    )


def worth_found(
    key: str, wanted: Sequence[WantedGi], found: Sequence[WantedGi]
) -> tuple[int, int, int, int]:
    """As good as possible for what was found: which of it stands for which wish is not told."""
    best = (-1, 0, 0, 0)
    for way in product(*(list(options(each, load(key).profiles)) for each in wanted)):
        if [each for _, each in way if each is not None] == list(found):
            best = max(best, worth(key, way))
    return best


@pytest.mark.parametrize(
    ("key", "most"), [("a30-24gb", 5), ("a100-40gb", 4), ("rtx-pro-6000-96gb", 4)]
)
@settings(REPEATABLE, max_examples=40)
@given(data=st.data())
def test_no_set_is_nearer(key: str, most: int, data: st.DataObject) -> None:
    model = load(key)
    stay = data.draw(st.sampled_from(oracle.every_layout(key)))
    kept = [(gi.profile.name, oracle.place(gi)) for gi in stay if data.draw(st.booleans())]
    wanted = []
    for profile in data.draw(st.lists(st.sampled_from(model.profiles), min_size=1, max_size=most)):
        start = data.draw(st.sampled_from((None, None, *profile.starts)))
        wanted.append(WantedGi(profile.name, start))
    found = nearest(profiles(model), kept, wanted)
    assert oracle.solutions(key, kept, found)
    assert worth_found(key, wanted, found) == best_of_all(key, kept, wanted)
