"""Where the lines of a plot over time lie."""

import re

from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.usage.report.page import Line, Table, TimePlot
from slurm_mig.usage.report.svg_curves import Panel, TimeDrawing, time_drawing

RATIOS = st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=48)


def drawn(*ratios: float | None, level: float | None = None) -> tuple[TimeDrawing, Panel]:
    plot = TimePlot("t", (Line("l", ratios, "told", level, "size"),), "1 h", "", Table("", (), ()))
    found = time_drawing(plot)
    return found, found.panels[0]


def steps(path: str) -> list[tuple[float, float, float]]:
    """What a path draws level: (from x, to x, y) of each step."""
    found, x, y = [], 0.0, 0.0
    for sign, numbers in re.findall(r"([MVH])([0-9. ]+)", path):
        values = [float(number) for number in numbers.split()]
        if sign == "M":
            x, y = values
        elif sign == "V":
            (y,) = values
        else:
            found.append((x, values[0], y))
            (x,) = values
    return found


@given(RATIOS, st.none() | st.floats(0, 1))
def test_every_step_is_drawn_where_it_belongs(ratios: list[float | None], level: float) -> None:
    drawing, panel = drawn(*ratios, level=level)
    width = (drawing.right - drawing.left) / len(ratios)
    expected = [
        (drawing.left + at * width, drawing.left + (at + 1) * width, one)
        for at, one in enumerate(ratios)
        if one is not None
    ]
    found = steps(panel.path)
    assert len(found) == len(expected)
    for (left, right, y), (from_x, to_x, ratio) in zip(found, expected, strict=True):
        assert abs(left - from_x) < 0.06
        assert abs(right - to_x) < 0.06
        assert abs(panel.base_y - y - 64 * ratio) < 0.06
        assert 0 <= y <= drawing.height
    assert panel.path.count("M") == holes(ratios)


def holes(ratios: list[float | None]) -> int:
    """How often a line begins anew."""
    before = [None, *ratios[:-1]]
    return sum(one is not None and last is None for last, one in zip(before, ratios, strict=True))


@given(RATIOS)
def test_the_highest_is_marked_in_the_middle_of_its_step(ratios: list[float | None]) -> None:
    drawing, panel = drawn(*ratios)
    known = [one for one in ratios if one is not None]
    if not known:
        assert (panel.peak_x, panel.peak_y, panel.path) == (None, None, "")
        return
    assert panel.peak_x is not None and panel.peak_y is not None
    assert abs(panel.base_y - panel.peak_y - 64 * max(known)) < 0.06
    (here,) = [one for one in steps(panel.path) if one[0] <= panel.peak_x <= one[1]]
    assert here[2] == panel.peak_y
    assert drawing.left < panel.peak_x < drawing.right


def test_the_size_of_the_slice_is_a_line() -> None:
    _, panel = drawn(0.1, 0.5, level=1.0)
    assert panel.level_y is not None
    assert panel.base_y - panel.level_y == 64
    assert panel.level_told == "size"
    _, panel = drawn(0.1, 0.5)
    assert (panel.level_y, panel.level_told) == (None, "")


def test_a_gap_stays_a_gap() -> None:
    _, panel = drawn(1.0, None, 0.0, 0.0)
    assert panel.path == "M180 18.0 H275.0 M370.0 82.0 H465.0 V82.0 H560.0".replace("180", "180.0")


def test_lines_lie_one_below_the_other() -> None:
    lines = tuple(Line(name, (0.0, 1.0), "") for name in ("a", "b"))
    found = time_drawing(TimePlot("t", lines, "", "", Table("", (), ())))
    first, second = found.panels
    assert first.base_y < second.base_y - 64
    assert second.base_y < found.height
