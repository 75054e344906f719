"""Where the parts of plots lie."""

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.usage.report.job_page import job_page
from slurm_mig.usage.report.page import Bar, Plot
from slurm_mig.usage.report.svg import WIDTH, drawing
from slurm_mig.usage.report.svg_curves import time_drawing
from tests.usage.report import made
from tests.usage.report.test_pages import JOBS

LETTER = 8  # units of 13 px letters, the wide ones too
BARS = st.lists(st.builds(Bar, st.text(), st.none() | st.floats(0, 2), st.text()), max_size=400)


@given(BARS, st.booleans())
def test_nothing_is_drawn_beside_the_plot(bars: list[Bar], upright: bool) -> None:
    drawn = drawing(Plot("t", "u", tuple(bars), upright))
    assert len(drawn.boxes) == len(bars)
    for box in drawn.boxes:
        assert box.width >= 0 <= box.height
        assert box.track_x <= box.x
        assert box.x + box.width <= box.track_x + box.track_width + 0.1 <= WIDTH + 0.2
        assert box.y >= 0
        assert box.y + box.height <= drawn.height


@pytest.mark.parametrize("upright", [False, True])
def test_bars_are_as_long_as_their_ratios(upright: bool) -> None:
    bars = (Bar("all", 1.0, "9"), Bar("half", 0.5, "4.5"), Bar("none", None, "?"))
    boxes = drawing(Plot("t", "u", bars, upright)).boxes
    sizes = [box.height if upright else box.width for box in boxes]
    assert sizes[1] * 2 == pytest.approx(sizes[0], abs=0.2)
    assert sizes[2] == 0


@pytest.mark.parametrize("name", JOBS)
def test_there_is_room_for_what_is_told_behind_a_bar(name: str) -> None:
    for section in (
        one for job in made.job_usages(*JOBS[name]) for one in job_page(job, UTC).sections
    ):
        for box in drawing(section.plot).boxes if section.plot else ():
            assert box.told_x + LETTER * len(box.told) <= WIDTH
        if section.over_time is not None:
            drawn = time_drawing(section.over_time)
            for panel in drawn.panels:
                assert drawn.left >= LETTER * len(panel.label)
                for said in (panel.told, panel.level_told):
                    assert drawn.right + 8 + LETTER * len(said) <= WIDTH


def test_long_labels_are_cut_where_they_are_drawn() -> None:
    (box,) = drawing(Plot("t", "u", (Bar("x" * 100, 1.0, ""),))).boxes
    assert box.label == "x" * 25 + "…"


def test_of_days_the_first_and_the_last_are_named() -> None:
    bars = tuple(Bar(f"day {number}", 1.0, "") for number in range(5))
    labels = [box.label for box in drawing(Plot("t", "u", bars, upright=True)).boxes]
    assert labels == ["day 0", "", "", "", "day 4"]
    (alone,) = drawing(Plot("t", "u", bars[:1], upright=True)).boxes
    assert alone.label == "day 0"
