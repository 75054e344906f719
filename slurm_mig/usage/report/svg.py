"""Where the parts of a plot lie, in units of an SVG; the template draws them. Pure."""

from typing import NamedTuple

from slurm_mig.usage.report.page import Plot

WIDTH = 800
LABEL, VALUE = 180, 240  # what stands before and behind a bar
_ROW, _BAR = 26, 16
_TALL, _FOOT = 160, 26
_LONGEST = 26  # letters of a label: the table below has all of it


class Box(NamedTuple):
    """A bar, its track (as long as a full bar), and where its words stand."""

    x: float
    y: float
    width: float
    height: float
    track_x: float
    track_y: float
    track_width: float
    track_height: float
    label: str
    label_x: float
    label_y: float
    told: str
    told_x: float
    told_y: float


class Drawing(NamedTuple):
    """A plot, ready to be drawn."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    upright: bool


def drawing(plot: Plot) -> Drawing:
    """The plot's boxes."""
    return _upright(plot) if plot.upright else _across(plot)


def _across(plot: Plot) -> Drawing:
    room = WIDTH - LABEL - VALUE
    boxes = []
    for at, bar in enumerate(plot.bars):
        top = at * _ROW + (_ROW - _BAR) / 2
        width = round(room * between(bar.ratio), 1)
        base = top + _BAR - 3
        boxes.append(
            Box(
                LABEL, top, width, _BAR,
                LABEL, top, room, _BAR,
                _short(bar.label), LABEL - 8, base,
                bar.told, LABEL + room + 8, base,
            )
        )  # fmt: skip
    return Drawing(WIDTH, len(plot.bars) * _ROW, tuple(boxes), False)


def _upright(plot: Plot) -> Drawing:
    """Columns side by side; the first and the last have their labels, else too many would."""
    step = WIDTH / max(len(plot.bars), 1)
    gap = min(4.0, step / 5)
    boxes = []
    for at, bar in enumerate(plot.bars):
        height = round(_TALL * between(bar.ratio), 1)
        left = round(at * step + gap / 2, 2)
        label = bar.label if at == 0 else ""
        boxes.append(
            Box(
                left, _TALL - height, round(step - gap, 2), height,
                left, 0, round(step - gap, 2), _TALL,
                label, left, _TALL + 18,
                bar.told, left, 0,
            )
        )  # fmt: skip
    if len(boxes) > 1:
        boxes[-1] = boxes[-1]._replace(label=plot.bars[-1].label, label_x=WIDTH)
    return Drawing(WIDTH, _TALL + _FOOT, tuple(boxes), True)


def between(ratio: float | None) -> float:
    """What a plot has room for."""
    return 0.0 if ratio is None else min(1.0, max(0.0, ratio))


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…"
