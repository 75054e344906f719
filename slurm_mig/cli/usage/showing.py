"""A report as text, JSON, CSV or HTML: the options, and the writing of it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from slurm_mig import __version__
from slurm_mig.errors import SlurmMigError
from slurm_mig.usage.report.page import Page

Command = TypeVar("Command", bound=Callable[..., Any])


class Form(NamedTuple):
    """How a report is wanted. HTML goes to a file, beside what is printed."""

    as_json: bool
    as_csv: bool
    html: Path | None


def form_options(command: Command) -> Command:
    """Add `--json`, `--csv` and `--html`."""
    html = click.option(
        "--html",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write a page with plots for a browser or printer: one file, no network.",
    )
    table = click.option("--csv", "as_csv", is_flag=True, help="Print CSV for a spreadsheet.")
    tree = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    return tree(table(html(command)))


def show(
    form: Form,
    pages: "list[Page]",
    tree: Callable[[], dict[str, Any]],
    table: Callable[[], str],
    made: str,
) -> None:
    """Print it, or write its HTML. Raises SlurmMigError if the file cannot be written."""
    if form.as_json and form.as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    if form.html is not None:
        _write(form.html, pages, made)
    if form.as_json:
        click.echo(json.dumps(tree(), indent=2))
    elif form.as_csv:
        click.echo(table(), nl=False)
    elif form.html is None:
        _print(pages, made)


def _print(pages: "list[Page]", made: str) -> None:
    from slurm_mig.usage.report.text import ASCII, UNICODE, text

    try:
        "".join(UNICODE).encode(sys.stdout.encoding or "ascii")
        signs = UNICODE
    except (UnicodeEncodeError, LookupError):
        signs = ASCII
    for page in pages:
        click.echo(text(page, signs))
    click.echo(made)


def _write(path: Path, pages: "list[Page]", made: str) -> None:
    from slurm_mig.files import write_atomic
    from slurm_mig.usage.report.html import html

    first, *others = pages
    sections = [section for page in pages for section in page.sections]
    whole = first._replace(
        lines=tuple(line for page in (first, *others) for line in page.lines),
        sections=tuple(sections),
    )
    try:
        # Who used what is not everybody's business.
        write_atomic(path, html(whole, f"{made} Made by slurm-mig {__version__}."), 0o600)
    except OSError as error:
        raise SlurmMigError(f"{path}: {error.strerror}") from error
