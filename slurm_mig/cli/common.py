"""Options that several commands share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
_STDERR = 2
ROOT_KEY = "slurm_mig.root"


def _keep_root(ctx: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.meta[ROOT_KEY] = value


def root_option(command: Command) -> Command:
    """Add `--root`, before or after the command's name; read it with `root_of`."""
    return click.option(
        "--root",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="SLURM_MIG_ROOT",
        expose_value=False,
        callback=_keep_root,
        metavar="DIR",
        help="Read /proc, /dev, /run, /var and /etc below DIR instead of /.",
    )(command)


def root_of(ctx: click.Context) -> Path:
    """What /proc, /dev, /run, /var and /etc are below: `/` unless --root said otherwise."""
    root: Path = ctx.meta.get(ROOT_KEY, Path("/"))
    return root


def say(line: str) -> None:
    """A line on stderr. Where nobody takes it (a lost terminal, a full disk) nothing is said.

    What a command returns is then the same: its exit code is all that can still be told.
    """
    try:
        click.echo(line, err=True)
    except OSError:  # and nothing is left in the buffer, at which Python would fail at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), _STDERR)
