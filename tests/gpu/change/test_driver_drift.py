"""Profiles whose names a driver changed."""

import pytest

from slurm_mig.gpu.change.driver_drift import offered, renamed
from slurm_mig.gpu.partitioning import CiSpec, GiProfile, GiSpec, Layout
from slurm_mig.model import Placement, ProfileId

AT_0, AT_4 = Placement(0, 2), Placement(4, 4)


def named(name: str, size: int) -> GiProfile:
    return GiProfile(name, ProfileId(0), 1, 0, 0, 1, (Placement(0, size),))


GB200 = (named("1g.23gb", 1), named("1g.47gb", 2), named("1g.23gb+me", 1), named("2g.47gb", 2))


@pytest.mark.parametrize(
    ("old", "size", "new"),
    [
        ("1g.24gb", 1, "1g.23gb"),
        ("1g.24gb+me", 1, "1g.23gb+me"),
        ("1g.48gb", 2, "1g.47gb"),
        ("2g.48gb", 2, "2g.47gb"),
        ("1g.47gb", 2, "1g.47gb"),
    ],
)
def test_a_profile_of_another_name(old: str, size: int, new: str) -> None:
    found = offered(GB200, old, size)
    assert found is not None
    assert found.profile == new


@pytest.mark.parametrize(("old", "size"), [("3g.48gb", 4), ("1g.24gb+gfx", 1), ("2g.48gb", 4)])
def test_nothing_of_the_kind(old: str, size: int) -> None:
    assert offered(GB200, old, size) is None


def test_of_two_that_could_be_meant_neither_is_taken() -> None:
    assert offered((*GB200, named("1g.22gb", 1)), "1g.24gb", 1) is None


def test_a_layout_in_other_names() -> None:
    shared = GiSpec("2g.48gb", AT_0, (CiSpec("1c.2g.48gb", 0, 0), CiSpec("1c.2g.48gb", 0, 1)))
    unknown = GiSpec("3g.96gb", AT_4, (CiSpec("3g.96gb"),))
    assert renamed(Layout(True, (shared, unknown)), GB200).instances == (
        GiSpec("2g.47gb", AT_0, (CiSpec("1c.2g.47gb", 0, 0), CiSpec("1c.2g.47gb", 0, 1))),
        unknown,
    )
