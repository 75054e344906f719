"""A page as plain text. Pure."""

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import NamedTuple

from slurm_mig.usage.report.page import Page, Section, Table


class Signs(NamedTuple):
    """What is drawn with: a bar, what it leaves free, and a line's heights from 0 up."""

    bar: str
    free: str
    heights: str


UNICODE = Signs("█", "░", "▁▂▃▄▅▆▇█")
ASCII = Signs("#", ".", ".:-=+*#@")
_BAR = 20
_WIDTH = 98


def text(page: Page, signs: Signs = UNICODE) -> str:
    """The page, drawn with these signs."""
    return "\n".join(line.rstrip() for line in _lines(page, signs)) + "\n"


def _lines(page: Page, signs: Signs) -> Iterator[str]:
    yield page.title
    for line in page.lines:
        yield from _wrapped(line)
    for section in page.sections:
        found = list(_section(section, signs))
        yield from ["", section.heading, *found] if found else ()
    if page.notes:
        yield ""
    for note in page.notes:
        yield from _wrapped(note, more="  ")


def _wrapped(line: str, first: str = "", more: str = "") -> list[str]:
    """A sentence on lines that a terminal has room for; no path is torn up."""
    return wrap(
        line,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=more,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _section(section: Section, signs: Signs) -> Iterator[str]:
    """What stands below the heading: nothing where the section is for browsers only."""
    bars = section.plot.bars if section.plot is not None and section.plot.in_text else ()
    lines = section.over_time.lines if section.over_time is not None else ()
    labels = [*(one.label for one in bars), *(one.label for one in lines)]
    width = max(map(len, labels), default=0)
    for bar in bars:
        yield f"  {bar.label:<{width}}  {_drawn(bar.ratio, signs)}  {bar.told}"
    for one in lines:
        yield f"  {one.label:<{width}}  {sparkline(one.ratios, signs)}  {one.told}"
    if section.over_time is not None:
        yield from _wrapped(section.over_time.told, "  ", "    ")
    if section.table is not None:
        yield from _table(section.table)
    for line in section.lines:
        yield from _wrapped(line, "  ", "    ")


def _drawn(ratio: float | None, signs: Signs) -> str:
    if ratio is None:
        return " " * _BAR
    filled = round(_BAR * min(1.0, ratio))
    return signs.bar * filled + signs.free * (_BAR - filled)


def sparkline(ratios: Sequence[float | None], signs: Signs) -> str:
    """A sign for each, in heights up to the highest of them; blank where there is none."""
    top = max((one for one in ratios if one is not None), default=0.0) or 1.0
    last = len(signs.heights) - 1
    return "".join(
        " " if one is None else signs.heights[min(last, int(one / top * (last + 1)))]
        for one in ratios
    )


def _table(table: Table) -> Iterator[str]:
    cells = [tuple(column.title for column in table.columns), *table.rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  " + "  ".join(
            f"{cell:>{width}}" if column.is_number else f"{cell:<{width}}"
            for cell, width, column in zip(row, widths, table.columns, strict=True)
        )
