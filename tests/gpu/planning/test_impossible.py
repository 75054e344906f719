"""Why a set does not fit: each kind of reason, all at once, in words and as data."""

import pytest

from slurm_mig.gpu.planning.fitting import Kept
from slurm_mig.gpu.planning.placement import Impossible, Why, solve
from slurm_mig.model import Placement
from tests.gpu.papergpu import profiles, wish
from tests.sim.models import load

A100 = profiles(load("a100-40gb"))
A30 = profiles(load("a30-24gb"))
RTX = profiles(load("rtx-pro-6000-96gb"))
OFFERS = {"A100": A100, "A30": A30, "RTX": RTX}


def why_not(gpu: str, *wishes: str, kept: tuple[Kept, ...] = ()) -> Impossible:
    found = solve(OFFERS[gpu], kept, [wish(text) for text in wishes])
    assert isinstance(found, Impossible)
    return found


@pytest.mark.parametrize(
    ("gpu", "wishes", "why", "text"),
    [
        (
            "A30",
            ["1g.5gb"],
            Why.UNKNOWN_PROFILE,
            "this GPU has no profile 1g.5gb: it has 1g.6gb, 1g.6gb+me, 2g.12gb, 2g.12gb+me, "
            "4g.24gb",
        ),
        (
            "A100",
            ["4g.20gb", "4g.20gb"],
            Why.TOO_MANY,
            "2 4g.20gb wanted, of which this GPU holds 1",
        ),
        (
            "A100",
            ["2g.10gb@6"],
            Why.NO_SUCH_START,
            "2g.10gb cannot start at 6, only at 0, 2, 4",
        ),
        (
            "A100",
            ["3g.20gb@0", "1g.5gb@3"],
            Why.OVERLAP,
            "3g.20gb@0 and 1g.5gb@3 lie on each other",
        ),
        (
            "A30",
            ["1g.6gb+me", "2g.12gb+me"],
            Why.MEDIA_ENGINES,
            "one GPU instance at most has the media extensions, not 1g.6gb+me and 2g.12gb+me",
        ),
        (
            "RTX",
            ["1g.24gb-me", "2g.48gb+gfx", "1g.24gb+me.all"],
            Why.MEDIA_ENGINES,
            "1g.24gb+me.all has all media engines: beside it only -me fits, not 2g.48gb+gfx",
        ),
        (
            "RTX",
            ["2g.48gb+me.all", "1g.24gb+me.all"],
            Why.MEDIA_ENGINES,
            "2g.48gb+me.all has all media engines: beside it only -me fits, not 1g.24gb+me.all",
        ),
        (
            "A100",
            ["3g.20gb", "3g.20gb", "1g.5gb"],
            Why.UNITS,
            "2x3g.20gb + 1g.5gb needs 9 of 8 memory units, though 7 of 7 compute slices would do",
        ),
        (
            "A100",
            ["7g.40gb", "1g.5gb"],
            Why.UNITS,
            "7g.40gb + 1g.5gb needs 9 of 8 memory units",
        ),
        (
            "A100",
            ["4g.20gb", "2g.10gb", "2g.10gb"],
            Why.POSITIONS,
            "4g.20gb + 2x2g.10gb needs 8 of 8 memory units, but there is no way to place all of "
            "them (4g.20gb starts at 0; 2g.10gb starts at 0, 2, 4)",
        ),
        (
            "A100",
            ["4g.20gb", "3g.20gb@0"],
            Why.POSITIONS,
            "4g.20gb + 3g.20gb@0 needs 8 of 8 memory units, but there is no way to place all of "
            "them (4g.20gb starts at 0; 3g.20gb starts at 0, 4)",
        ),
    ],
)
def test_each_reason(gpu: str, wishes: list[str], why: Why, text: str) -> None:
    (reason,) = why_not(gpu, *wishes).reasons
    assert (reason.why, reason.text) == (why, text)
    assert set(reason.profiles) <= {wish(text).profile for text in wishes}
    assert reason.blocked_by == ()


def test_all_reasons_at_once() -> None:
    wishes = ("7g.80gb", "9x", "3g.20gb@2", "2g.10gb@4", "1g.5gb@5", "4g.20gb", "4g.20gb")
    found = why_not("A100", *wishes, "1g.5gb+me", "1g.5gb+me")
    assert [reason.why for reason in found.reasons] == [
        Why.UNKNOWN_PROFILE,
        Why.UNKNOWN_PROFILE,
        Why.TOO_MANY,
        Why.TOO_MANY,
        Why.NO_SUCH_START,
        Why.OVERLAP,
        Why.MEDIA_ENGINES,
    ]
    assert [reason.profiles for reason in found.reasons[:4]] == [
        ("7g.80gb",),
        ("9x",),
        ("4g.20gb",),
        ("1g.5gb+me",),
    ]
    text = str(found)
    assert all(reason.text in text for reason in found.reasons)
    assert "\n" not in text


def test_a_start_wanted_twice() -> None:
    (reason,) = why_not("A100", "1g.5gb@3", "1g.5gb@3").reasons
    assert reason.why == Why.OVERLAP


@pytest.mark.parametrize(
    ("kept", "wishes", "blockers"),
    [
        ([("1g.5gb", 1), ("1g.5gb", 5)], ["3g.20gb"], [("1g.5gb", 1)]),
        ([("1g.5gb", 0), ("1g.5gb", 1), ("1g.5gb", 5)], ["3g.20gb"], [("1g.5gb", 5)]),
        ([("1g.5gb", 0), ("1g.5gb", 6)], ["7g.40gb"], [("1g.5gb", 0), ("1g.5gb", 6)]),
        ([("1g.5gb", 0)], ["4g.20gb"], [("1g.5gb", 0)]),
        ([("1g.5gb+me", 6)], ["1g.5gb+me"], [("1g.5gb+me", 6)]),
        ([("1g.5gb", 0), ("1g.5gb", 4)], ["1g.5gb@4"], [("1g.5gb", 4)]),
    ],
)
def test_the_fewest_of_those_that_stay_are_named(
    kept: list[tuple[str, int]], wishes: list[str], blockers: list[tuple[str, int]]
) -> None:
    sizes = {each.profile: each.placements[0].size for each in A100}
    stay = tuple((name, Placement(start, sizes[name])) for name, start in kept)
    (reason,) = why_not("A100", *wishes, kept=stay).reasons
    assert reason.why == Why.BLOCKED
    assert [(name, place.start) for name, place in reason.blocked_by] == blockers
    for name, start in blockers:
        assert f"{name}@{start}" in reason.text
    assert "does not fit beside" in reason.text


def test_what_could_never_fit_blames_none_of_those_that_stay() -> None:
    found = why_not("A100", "3g.20gb", "3g.20gb", "1g.5gb", kept=(("1g.5gb", Placement(0, 1)),))
    assert [reason.why for reason in found.reasons] == [Why.UNITS]


def test_a_profile_without_a_place() -> None:
    """A driver may name a profile that this board has no place for."""
    bare = A30[0]._replace(placements=())
    found = solve((bare, *A30[1:]), (), [wish("1g.6gb"), wish("2g.12gb")])
    assert isinstance(found, Impossible)
    (reason,) = found.reasons
    assert reason.text == "1 1g.6gb wanted, of which this GPU holds 0"
    assert [each.profile for each in found.nearest] == ["2g.12gb"]
