"""The random layouts are the ones that NVIDIA publishes, no more and no fewer."""

from itertools import chain, combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.layouts import (
    PlacedGi,
    ci_divisions,
    compatible,
    layouts,
    maximal_layouts,
    valid_layouts,
)
from tests.sim.models import keys, load, mig_keys

# The figure "MIG configurations on A100" of NVIDIA's user guide: GPU instances from left to
# right, by their compute slices. It knows neither +me nor 1g.10gb.
A100_CONFIGURATIONS = [
    (7,),
    (4, 3),
    (4, 2, 1),
    (4, 1, 1, 1),
    (3, 3),
    (3, 2, 1),
    (3, 1, 1, 1),
    (2, 2, 3),
    (2, 1, 1, 3),
    (1, 1, 2, 3),
    (1, 1, 1, 1, 3),
    (2, 2, 2, 1),
    (2, 1, 1, 2, 1),
    (1, 1, 2, 2, 1),
    (2, 2, 1, 1, 1),
    (2, 1, 1, 1, 1, 1),
    (1, 1, 2, 1, 1, 1),
    (1, 1, 1, 1, 2, 1),
    (1, 1, 1, 1, 1, 1, 1),
]
# How many layouts each model has, and how many of them are full: they change with the rules.
NUMBERS = {
    **dict.fromkeys(("a100-40gb", "a100-80gb", "h100-80gb", "h100-nvl-94gb"), (2319, 239)),
    **dict.fromkeys(("gh200-96gb", "h200-141gb", "b200-180gb"), (2319, 239)),
    "a30-24gb": (76, 17),
    "rtx-pro-6000-96gb": (717, 302),
    "l40s": (1, 1),
}


def test_the_published_configurations_of_the_a100() -> None:
    model = load("a100-40gb")
    plain = {profile.name for profile in model.profiles} - {"1g.5gb+me", "1g.10gb"}
    found = [
        tuple(gi.profile.slices for gi in placed)
        for placed in maximal_layouts(model)
        if {gi.profile.name for gi in placed} <= plain
    ]
    assert sorted(found) == sorted(A100_CONFIGURATIONS)


def test_the_enumeration_misses_nothing() -> None:
    """Against all subsets of all placements of the smallest model."""
    model = load("a30-24gb")
    everywhere = [
        PlacedGi(profile, start) for profile in model.profiles for start in profile.starts
    ]
    everywhere.sort(key=lambda gi: gi.start)
    subsets = chain.from_iterable(
        combinations(everywhere, number) for number in range(model.units + 1)
    )
    expected = {subset for subset in subsets if compatible(subset)}
    found = list(valid_layouts(model))
    assert len(found) == len(set(found))
    assert set(found) == expected


@pytest.mark.parametrize("key", keys())
def test_how_many_layouts_there_are(key: str) -> None:
    model = load(key)
    found = sum(1 for _ in valid_layouts(model)), sum(1 for _ in maximal_layouts(model))
    assert found == NUMBERS[key]


def names(key: str) -> set[tuple[str, ...]]:
    return {tuple(str(gi) for gi in placed) for placed in valid_layouts(load(key))}


def test_a_set_of_legal_counts_may_have_no_place() -> None:
    """Four 1g.10gb and three 1g.5gb are seven slices, but need eleven of the eight units."""
    for placed in valid_layouts(load("a100-40gb")):
        counts = [gi.profile.name for gi in placed]
        assert not (counts.count("1g.10gb") == 4 and counts.count("1g.5gb") == 3)


def test_one_gpu_instance_has_the_media_extensions() -> None:
    a30 = names("a30-24gb")
    assert ("1g.6gb+me@0", "1g.6gb@1", "2g.12gb@2") in a30
    assert ("1g.6gb+me@0", "1g.6gb+me@1") not in a30
    assert ("1g.6gb+me@0", "2g.12gb+me@2") not in a30


def test_all_media_engines_leave_only_instances_without() -> None:
    rtx = names("rtx-pro-6000-96gb")
    assert ("1g.24gb+me.all@0", "1g.24gb-me@3", "2g.48gb-me@6") in rtx
    assert ("1g.24gb+me.all@0", "1g.24gb@3") not in rtx
    assert ("1g.24gb+me.all@0", "1g.24gb+gfx@3") not in rtx
    assert ("1g.24gb+me.all@0", "2g.48gb+me.all@6") not in rtx
    assert ("1g.24gb+me@0", "1g.24gb+gfx@3", "2g.48gb-me@6") in rtx


@pytest.mark.parametrize(
    ("profile", "divisions"),
    [
        ("1g.5gb", set()),
        ("2g.10gb", {(1,), (1, 1)}),
        ("3g.20gb", {(1,), (1, 1), (1, 1, 1), (2,), (2, 1)}),
        (
            "4g.20gb",
            {(1,), (1, 1), (1, 1, 1), (1, 1, 1, 1), (2,), (2, 1), (2, 1, 1), (2, 2)},
        ),
    ],
)
def test_divisions_of_a_gpu_instance(profile: str, divisions: set[tuple[int, ...]]) -> None:
    assert ci_divisions(load("a100-40gb").profile(profile)) == divisions


def test_a_division_that_nvidia_shows() -> None:
    """The user guide's `nvidia-smi -L` has 1c, 2c and 3c of one 7g."""
    assert (3, 2, 1) in ci_divisions(load("a100-40gb").profile("7g.40gb"))


@settings(deadline=None, derandomize=True)
@given(data=st.data())
def test_random_layouts_name_what_the_model_has(data: st.DataObject) -> None:
    model = load(data.draw(st.sampled_from(mig_keys())))
    layout = data.draw(layouts(model, without_ci=True))
    parts = layout.split("/")
    assert not all(part.endswith(":none") for part in parts)
    for part in parts:
        count, name, start = _read(part)
        profile = model.profile(name)
        assert count <= profile.max_count
        assert start is None or start in profile.starts


def _read(part: str) -> tuple[int, str, int | None]:
    placed, _, _ = part.partition(":")
    name, _, start = placed.partition("@")
    count, times, rest = name.partition("x")
    alike = bool(times) and count.isdigit()
    return int(count) if alike else 1, rest if alike else name, int(start) if start else None
