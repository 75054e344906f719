"""`slurm-mig usage`: what jobs used. One small module a command, loaded when it is asked for."""

import click

from slurm_mig.cli.common import root_option
from slurm_mig.cli.lazy import LazyGroup

# command -> (module of this folder, one line of help)
COMMANDS: dict[str, tuple[str, str]] = {
    "job": ("job", "Show what a job had, what it used of that, and what would have done."),
    "report": ("report", "Show who used what, and which smaller slices would have done."),
    "collect": ("collect", "Gather the records of many nodes into one database."),
    "prune": ("prune", "Remove nodes' old files of which the database has all."),
    "ship": ("ship", "Print what was added to this node's records; collect --from runs it."),
    "discard": ("discard", "Remove what the database has of this node; prune --from runs it."),
    "admin-comment": ("admin_comment", "Store jobs' figures in Slurm's accounting, for jobstats."),
}


class Usage(LazyGroup):
    """All of them."""

    package = __name__
    table = COMMANDS


@click.group("usage", cls=Usage)
@root_option
def command() -> None:
    """What jobs used: gather the records of all nodes, and ask them.

    A node's hooks write one record a job to /var/lib/slurm-mig/usage. Start with
    `slurm-mig usage collect`, then `slurm-mig usage report`.
    """
