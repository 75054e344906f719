"""What several of these commands share: options, and the way to other nodes."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from slurm_mig.usage.store.fetch import Way

Command = TypeVar("Command", bound=Callable[..., Any])


def db_option(command: Command) -> Command:
    """Add `--db`, passed as `db`: a URL, or None for the site's."""
    return click.option(
        "--db",
        metavar="URL",
        help="The database: sqlite:////PATH or postgresql://USER@HOST/NAME. Else that of the"
        " table [usage] of config.toml, else sqlite:////var/lib/slurm-mig/usage.db.",
    )(command)


def way_to(root: Path, nodes: str, command: str) -> tuple[list[str], "Way"]:
    """The nodes of a host list, and how `slurm-mig usage COMMAND` is run there.

    Raises UsageError, or Refused for the site's settings.
    """
    from slurm_mig.errors import UsageError
    from slurm_mig.reconfigure.settings import load
    from slurm_mig.slurm.config.hostlist import expand
    from slurm_mig.slurm.reach import ClusterShellReach
    from slurm_mig.usage.store.fetch import Way

    site = load(root)
    reach = ClusterShellReach(site.remote_worker, site.fanout, site.remote_command)
    try:
        names = list(dict.fromkeys(expand(nodes)))
    except ValueError as why:
        raise UsageError(f"--from: {why}") from None
    return names, Way(reach, (*site.remote_slurm_mig, "usage", command))
