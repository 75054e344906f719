"""A curve in words, and as signs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.usage.report.over_time import time_plot
from slurm_mig.usage.report.page import TimePlot
from slurm_mig.usage.report.text import ASCII, UNICODE, sparkline
from slurm_mig.usage.store.nouns import Curve

ONE = Curve(0.4, 160.0, (10.0, 20.0, 39_117.0), (0.0, 0.5, 1.0))


def plot(duration_s: float | None = 450.0, size_mib: float | None = 40_448, **changes: Any) -> Any:
    found: TimePlot = time_plot(ONE._replace(**changes), size_mib, duration_s, "3g.40gb of n1")
    return found


def test_what_is_told_of_it() -> None:
    found = plot()
    memory, sms = found.lines
    assert (memory.label, memory.told, memory.level_told) == (
        "memory over time", "0 to 38.2 GiB", "of 39.5 GiB",
    )  # fmt: skip
    assert (sms.label, sms.told, sms.level, sms.level_told) == (
        "SMs over time", "0 to 100%", 1.0, "of 100%",
    )  # fmt: skip
    assert found.span == "7 min 30 s"  # of the job: its last step ends later
    assert found.told == (
        "time: 7 min 30 s, a step is 2 min 40 s: its highest memory and its mean of SMs"
    )


def test_memory_is_drawn_against_the_slices_own() -> None:
    memory, _ = plot().lines
    assert memory.level == 1.0
    assert memory.ratios[2] == pytest.approx(39_117 / 40_448)


def test_where_the_size_is_not_known_or_too_small_the_highest_is_the_height() -> None:
    for size_mib, level in ((None, None), (20_000.0, 20_000 / 39_117)):
        memory, _ = plot(size_mib=size_mib).lines
        assert (memory.ratios[2], memory.level) == (1.0, level)


def test_only_what_is_known_is_told() -> None:
    without = plot(sm_mean=None)
    assert [line.label for line in without.lines] == ["memory over time"]
    assert without.told.endswith(": its highest memory")
    dark = plot(memory_peak_mib=None)
    assert [line.label for line in dark.lines] == ["SMs over time"]
    assert dark.told.endswith(": its mean of SMs")
    assert plot(memory_peak_mib=None, sm_mean=None).lines == ()


def test_gaps_are_told() -> None:
    assert plot(memory_peak_mib=(1.0, None, 2.0)).told.endswith("; blank: not sampled")
    assert plot(memory_peak_mib=(None,) * 3).lines[0].told == "0 to 0 MiB"


def test_a_monitor_that_came_late_is_told() -> None:
    found = plot(from_s=3600.0, duration_s=4000.0)
    assert found.told.startswith("time: 6 min 40 s from 1 h after the job's start on, a step is")
    assert found.table.rows[1][0] == "1 h 2 min"


@pytest.mark.parametrize(("from_s", "duration_s"), [(None, None), (500.0, 100.0), (0.0, 0.0)])
def test_times_that_are_not_known_or_do_not_fit(
    from_s: float | None, duration_s: float | None
) -> None:
    assert plot(from_s=from_s, duration_s=duration_s).span in ("8 min", "0 s")


def test_all_of_it_in_figures() -> None:
    table = plot(sm_mean=(0.0, None, 1.0)).table
    assert table.caption == "Use of 3g.40gb of n1 over time, in figures"
    assert table.rows == (
        ("0 s", "10 MiB", "0%"),
        ("2 min 40 s", "20 MiB", "?"),
        ("5 min 20 s", "38.2 GiB", "100%"),
    )
    assert plot(sm_mean=None).table.rows[0] == ("0 s", "10 MiB", "?")


def test_signs() -> None:
    eighths = [at / 8 for at in range(9)]
    assert sparkline(eighths, UNICODE) == "▁▂▃▄▅▆▇██"
    assert sparkline(eighths, ASCII) == ".:-=+*#@@"
    assert sparkline([0.0, None, 0.0], UNICODE) == "▁ ▁"
    assert sparkline([None, 0.25, 0.5], UNICODE) == " ▅█"  # against its own highest
    assert sparkline([], UNICODE) == ""


@given(st.lists(st.none() | st.floats(0, 1e9), max_size=60))
def test_a_sign_for_each_step(values: list[float | None]) -> None:
    for signs in (UNICODE, ASCII):
        drawn = sparkline(values, signs)
        assert [one == " " for one in drawn] == [value is None for value in values]
        known = [value for value in values if value is not None]
        heights = [signs.heights.index(one) for one in drawn if one != " "]
        assert all(
            heights[a] <= heights[b]
            for a in range(len(known))
            for b in range(len(known))
            if known[a] <= known[b]
        )
        assert not known or not max(known) or max(heights) == 7
