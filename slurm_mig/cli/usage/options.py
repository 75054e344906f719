"""Options that several of these commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def db_option(command: Command) -> Command:
    """Add `--db`, passed as `db`: a URL, or None for the site's."""
    return click.option(
        "--db",
        metavar="URL",
        help="The database: sqlite:////PATH or postgresql://USER@HOST/NAME. Else that of the"
        " table [usage] of config.toml, else sqlite:////var/lib/slurm-mig/usage.db.",
    )(command)
