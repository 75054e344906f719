"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
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
