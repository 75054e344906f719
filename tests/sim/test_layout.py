"""Layouts: what they mean, and what is said of those that cannot be."""

import pytest

from tests.sim.errors import SimError
from tests.sim.layout import place, plan
from tests.sim.models import load, mig_keys


def shape(key: str, text: str) -> list[tuple[str, int, list[tuple[int, int]]]]:
    """(profile, start, [(CI profile id, CI start)]) of every GPU instance."""
    return [
        (gi.profile.name, gi.start, [(ci.profile.profile_id, ci.start) for ci in gi.cis])
        for gi in plan(load(key), text)
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("mig", []),
        ("7g.40gb", [("7g.40gb", 0, [(4, 0)])]),
        ("3g.20gb@4:1c:2c", [("3g.20gb", 4, [(0, 2), (1, 0)])]),
        ("3g.20gb:none", [("3g.20gb", 0, [])]),
        ("2x1g.5gb", [("1g.5gb", 0, [(0, 0)]), ("1g.5gb", 1, [(0, 0)])]),
    ],
)
def test_what_a_layout_means(
    text: str, wanted: list[tuple[str, int, list[tuple[int, int]]]]
) -> None:
    assert shape("a100-40gb", text) == wanted


def test_an_order_that_the_driver_would_refuse_is_placed() -> None:
    model = load("a100-40gb")
    found = plan(model, "1g.5gb/2g.10gb/1g.5gb/3g.20gb")
    assert [gi.profile.name for gi in found] == ["1g.5gb", "2g.10gb", "1g.5gb", "3g.20gb"]
    units = [unit for gi in found for unit in range(gi.start, gi.start + gi.profile.size)]
    assert len(units) == len(set(units)) == 8


@pytest.mark.parametrize("key", mig_keys())
def test_balanced_is_as_mig_parted_means_it(key: str) -> None:
    slices = [gi.profile.slices for gi in plan(load(key), "balanced")]
    assert slices == ([3, 2, 1, 1] if load(key).units == 8 else [2, 1, 1])


def test_the_whole_compute_instance_and_the_small_one_of_1g_20gb() -> None:
    assert shape("h100-80gb", "1g.20gb/1g.20gb:id0") == [
        ("1g.20gb", 0, [(7, 0)]),
        ("1g.20gb", 2, [(0, 0)]),
    ]


@pytest.mark.parametrize(
    ("key", "text", "why"),
    [
        ("l40s", "mig", "l40s cannot do MIG"),
        ("h100-80gb", "3g.20gb", "has no profile 3g.20gb: it has 1g.10gb, "),
        ("h100-80gb", "3g.40gb@2", r"cannot start at 2 on h100-80gb, only at \(0, 4\)"),
        ("h100-80gb", "3x3g.40gb", "3g.40gb/3g.40gb/3g.40gb does not fit .* 8 memory units"),
        ("h100-80gb", "2g.20gb@0/1g.10gb@1", "does not fit"),
        ("h100-80gb", "3g.40gb:2c:2c", "2c:2c does not fit in a 3g.40gb of 3 slices"),
        ("h100-80gb", "3g.40gb:5c", r"no compute instance 5c: it has 1c \(id0\), "),
        ("h100-80gb", "3g.40gb//", "cannot read slice ''"),
        ("h100-80gb", "3g 40gb", "cannot read slice '3g 40gb'"),
    ],
)
def test_what_cannot_be_is_explained(key: str, text: str, why: str) -> None:
    with pytest.raises(SimError, match=why):
        plan(load(key), text)


def test_placing_tries_everything() -> None:
    assert place([((0, 1), 1, None), ((0,), 1, None)]) == [1, 0]
    assert place([((0,), 1, None), ((0,), 1, None)]) is None
    assert place([((0, 4), 4, None), ((0, 4), 4, 0)]) == [4, 0]
