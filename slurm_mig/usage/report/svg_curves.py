"""Where the lines of a plot over time lie, in units of an SVG; the template draws them. Pure."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from slurm_mig.usage.report.page import Line, TimePlot
from slurm_mig.usage.report.svg import LABEL, VALUE, WIDTH, between

_TALL, _GAP, _FOOT = 64, 18, 20


class Panel(NamedTuple):
    """One line: its steps as an SVG path, with a hole at each gap, and its highest step's middle.

    `level_y` is where its level lies; None: it has none. `base_y` is where 0 is.
    """

    label: str
    told: str
    level_told: str
    path: str
    base_y: float
    level_y: float | None
    peak_x: float | None
    peak_y: float | None
    middle_y: float


class TimeDrawing(NamedTuple):
    """A plot over time, ready to be drawn, from `left` to `right`."""

    width: int
    height: int
    left: int
    right: int
    panels: tuple[Panel, ...]


def time_drawing(plot: TimePlot) -> TimeDrawing:
    """The plot's paths."""
    panels = tuple(_panel(line, at * (_TALL + _GAP) + _GAP) for at, line in enumerate(plot.lines))
    height = len(panels) * (_TALL + _GAP) + _FOOT
    return TimeDrawing(WIDTH, height, LABEL, WIDTH - VALUE, panels)


def _panel(line: Line, top: float) -> Panel:
    base = top + _TALL
    steps = len(line.ratios)
    heights = [
        None if one is None else round(base - _TALL * between(one), 1) for one in line.ratios
    ]
    known = [one for one in heights if one is not None]
    peak_y = min(known, default=None)
    middle = None if peak_y is None else (_x(heights.index(peak_y), steps, 0.5))
    level_y = None if line.level is None else round(base - _TALL * between(line.level), 1)
    return Panel(
        label=line.label,
        told=line.told,
        level_told=line.level_told if level_y is not None else "",
        path=" ".join(_path(heights)),
        base_y=base,
        level_y=level_y,
        peak_x=middle,
        peak_y=peak_y,
        middle_y=top + _TALL / 2 + 4,
    )


def _path(heights: Sequence[float | None]) -> Iterator[str]:
    """Each step level; between two of them straight up or down."""
    before: float | None = None
    for at, height in enumerate(heights):
        if height is not None:
            left, right = (_x(at, len(heights), part) for part in (0.0, 1.0))
            yield f"M{left} {height}" if before is None else f"V{height}"
            yield f"H{right}"
        before = height


def _x(at: int, steps: int, part: float) -> float:
    """Where a step begins (0), or ends (1)."""
    return round(LABEL + (WIDTH - LABEL - VALUE) * (at + part) / steps, 1)
