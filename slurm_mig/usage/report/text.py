"""A page as plain text. Pure."""

from collections.abc import Iterator
from textwrap import wrap

from slurm_mig.usage.report.page import Page, Plot, Section, Table

UNICODE_BAR = "█░"
ASCII_BAR = "#."
_BAR = 20
_WIDTH = 98


def text(page: Page, bar: str = UNICODE_BAR) -> str:
    """The page; `bar` has the letter of a bar, and of what it leaves free."""
    return "\n".join(line.rstrip() for line in _lines(page, bar)) + "\n"


def _lines(page: Page, bar: str) -> Iterator[str]:
    yield page.title
    for line in page.lines:
        yield from _wrapped(line)
    for section in page.sections:
        found = list(_section(section, bar))
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


def _section(section: Section, bar: str) -> Iterator[str]:
    """What stands below the heading: nothing where the section is for browsers only."""
    if section.plot is not None and section.plot.in_text:
        yield from _plot(section.plot, bar)
    if section.table is not None:
        yield from _table(section.table)
    for line in section.lines:
        yield from _wrapped(line, "  ", "    ")


def _plot(plot: Plot, bar: str) -> Iterator[str]:
    width = max((len(one.label) for one in plot.bars), default=0)
    for one in plot.bars:
        filled = round(_BAR * min(1.0, one.ratio)) if one.ratio is not None else 0
        drawn = bar[0] * filled + bar[1] * (_BAR - filled) if one.ratio is not None else " " * _BAR
        yield f"  {one.label:<{width}}  {drawn}  {one.told}"


def _table(table: Table) -> Iterator[str]:
    cells = [tuple(column.title for column in table.columns), *table.rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  " + "  ".join(
            f"{cell:>{width}}" if column.is_number else f"{cell:<{width}}"
            for cell, width, column in zip(row, widths, table.columns, strict=True)
        )
