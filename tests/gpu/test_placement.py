"""The solver finds every set that fits, and none that does not."""

import pytest

from slurm_mig.gpu.partitioning import WantedGi
from slurm_mig.gpu.placement import Impossible, solve
from slurm_mig.model import Placement
from tests.gpu.papergpu import profiles, wish
from tests.sim.models import load

A100 = profiles(load("a100-40gb"))


def starts(*wishes: str, kept: tuple[tuple[str, Placement], ...] = ()) -> list[int]:
    found = solve(A100, kept, [wish(text) for text in wishes])
    assert not isinstance(found, Impossible), found
    return [place.start for place in found]


@pytest.mark.parametrize(
    ("wishes", "where"),
    [
        (["1g.5gb"], [6]),
        (["3g.20gb"], [4]),
        (["1g.5gb", "1g.5gb", "2g.10gb", "3g.20gb"], [2, 3, 0, 4]),
        (["3g.20gb@0", "1g.5gb", "3g.20gb"], None),
        (["1g.5gb"] * 7, [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_what_is_preferred(wishes: list[str], where: list[int] | None) -> None:
    if where is None:
        assert isinstance(solve(A100, (), [wish(text) for text in wishes]), Impossible)
    else:
        assert starts(*wishes) == where


def test_nothing_wanted_is_solved() -> None:
    assert solve(A100, (), []) == ()
    assert solve((), (), []) == ()
    assert isinstance(solve((), (), [WantedGi("1g.5gb")]), Impossible)
