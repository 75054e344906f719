"""GPU-hours out of service: by hand, and what must hold of any."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.reconfigure.fleet.engine import Look
from slurm_mig.reconfigure.fleet.estimate import CHANGE_S, Estimate, estimate

NOW = 1_800_000_000.0


def look(name: str, gpus: int, *ends_in_s: float | None, changes: bool = True) -> Look:
    jobs: list[dict[str, Any]] = [
        {"end_time": None if end is None else NOW + end} for end in ends_in_s
    ]
    return Look(name, {"changes": changes, "gpu_count": gpus, "jobs": jobs})


def of(waves: list[list[str]], *looks: Look) -> Estimate:
    return estimate(waves, {one.node: one for one in looks}, NOW)


def test_idle_nodes_cost_their_change() -> None:
    found = of([["a", "b"], ["c"]], *(look(name, 8) for name in "abc"))
    assert found.gpu_hours_at_least == found.gpu_hours_at_most == pytest.approx(24 * 60 / 3600)
    assert found.hours_at_most == pytest.approx(2 * 60 / 3600)


def test_a_wave_waits_for_its_last_job() -> None:
    found = of([["a", "b"]], look("a", 4), look("b", 4, 1800, 3540))
    assert found.gpu_hours_at_most == pytest.approx(8.0)
    assert found.gpu_hours_at_least == pytest.approx(8 * 60 / 3600)


def test_jobs_that_end_before_their_wave_begins_cost_nothing() -> None:
    found = of([["a"], ["b"]], look("a", 1, 3600), look("b", 1, 3600))
    assert found.gpu_hours_at_most == pytest.approx((3660 + 60) / 3600)


def test_what_does_not_change_costs_nothing() -> None:
    assert of([["a"], ["b"]], look("a", 8, changes=False), look("b", 8, changes=False)) == (0, 0, 0)


def test_a_job_without_a_limit() -> None:
    found = of([["a"], ["b"]], look("a", 8, None), look("b", 8))
    assert found.gpu_hours_at_most is None
    assert found.hours_at_most is None
    assert found.gpu_hours_at_least == pytest.approx(16 * 60 / 3600)


def test_a_node_that_was_not_looked_at() -> None:
    assert of([["a"]], Look("a", {}, "not reached")) == (None, None, None)


def told_by_slurm(name: str, *, exact: bool, changes: bool = True) -> Look:
    found = look(name, 2, changes=changes)
    return found._replace(told={**found.told, "exact": exact, "unknown": ["the steps"]})


def test_a_node_that_may_have_more_gpus() -> None:
    found = of([["a", "b"]], told_by_slurm("a", exact=True), told_by_slurm("b", exact=False))
    assert found.gpu_hours_at_least == pytest.approx(4 * 60 / 3600)
    assert found.gpu_hours_at_most is None
    assert found.hours_at_most == pytest.approx(60 / 3600)


def test_a_node_that_is_emptied_though_it_seems_as_wanted() -> None:
    found = of([["a"]], told_by_slurm("a", exact=True, changes=False))
    assert found.gpu_hours_at_least == found.gpu_hours_at_most == pytest.approx(2 * 60 / 3600)


@given(st.lists(st.lists(st.floats(0, 1e6), max_size=3), min_size=1, max_size=8), st.integers(1, 4))
def test_the_bounds_are_bounds(ends: list[list[float]], size: int) -> None:
    looks = [look(f"n{at}", 2, *each) for at, each in enumerate(ends)]
    names = [one.node for one in looks]
    waves = [names[at : at + size] for at in range(0, len(names), size)]
    found = of(waves, *looks)
    assert found.gpu_hours_at_least is not None
    assert found.gpu_hours_at_most is not None
    assert found.hours_at_most is not None
    assert found.gpu_hours_at_least <= found.gpu_hours_at_most + 1e-9
    last = max((end for each in ends for end in each), default=0.0)
    longest = (last + len(waves) * CHANGE_S) / 3600
    assert found.hours_at_most <= longest + 1e-9
