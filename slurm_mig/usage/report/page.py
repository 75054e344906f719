"""A page before it is text or HTML: words, plots and tables, all cells in words already. Pure."""

from typing import NamedTuple


class Column(NamedTuple):
    """A heading; numbers stand to the right."""

    title: str
    is_number: bool = False


class Table(NamedTuple):
    """Rows have a cell for each column."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


class Bar(NamedTuple):
    """One bar: `ratio` of the plot's width, or height; None: unknown, nothing is drawn."""

    label: str
    ratio: float | None
    told: str


class Plot(NamedTuple):
    """Bars, from the left, or `upright` in a row of days.

    `unit` heads what the bars tell. `in_text`: it stands in the text as well, where otherwise
    a table has the same figures.
    """

    title: str
    unit: str
    bars: tuple[Bar, ...]
    upright: bool = False
    in_text: bool = False


class Line(NamedTuple):
    """A quantity over time: `ratios` of a plot's height, one for each step; None: a gap.

    `told` says what its highest is. `level` is a height to be marked, `level_told` what it is.
    """

    label: str
    ratios: tuple[float | None, ...]
    told: str
    level: float | None = None
    level_told: str = ""


class TimePlot(NamedTuple):
    """Lines over the same time, all with as many steps, and in words what time that is.

    In text each line is drawn against its own highest.
    """

    title: str
    lines: tuple[Line, ...]
    span: str
    told: str
    table: Table


class Section(NamedTuple):
    """A part of a page, with any of a plot, one over time, a table, and lines below them."""

    heading: str
    plot: Plot | None = None
    table: Table | None = None
    lines: tuple[str, ...] = ()
    over_time: TimePlot | None = None


class Page(NamedTuple):
    """All of it; `notes` stand at its end."""

    title: str
    lines: tuple[str, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()
