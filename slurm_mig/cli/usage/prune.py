"""`slurm-mig usage prune`: remove old files of records that were collected."""

import time
from typing import TYPE_CHECKING

import click

from slurm_mig.cli.common import root_of, root_option, say
from slurm_mig.cli.usage.options import db_option

if TYPE_CHECKING:
    from slurm_mig.usage.store.prune import Pruned


@click.command("prune")
@click.option("--before", required=True, metavar="YYYY-MM", help="Files of earlier months only.")
@db_option
@click.option("--dry-run", is_flag=True, help="Look at everything and remove nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@root_option
@click.pass_context
def command(ctx: click.Context, before: str, db: str | None, dry_run: bool, as_json: bool) -> int:
    """Remove this node's record files of earlier months, if the database has all of them.

    Every line of a file is looked up in the database; a file of which one is not there stays,
    and the exit code is 1. The files of this month and the last always stay.

    \b
      slurm-mig usage prune --before 2026-09 --dry-run
    """
    from slurm_mig.usage.store.database import opened
    from slurm_mig.usage.store.prune import prune

    root = root_of(ctx)
    with opened(root, db) as store:
        found = list(prune(store, root, before, time.time(), dry_run=dry_run))
    if as_json:
        import json

        files = [one._asdict() for one in found]
        click.echo(json.dumps({"version": 1, "dry_run": dry_run, "files": files}, indent=2))
    else:
        for one in found:
            _tell(one, "would be removed" if dry_run else "removed")
        if not found:
            say(f"slurm-mig: there are no files of months before {before}")
    return 1 if any(one.why is not None for one in found) else 0


def _tell(one: "Pruned", done: str) -> None:
    if one.why is None:
        click.echo(f"{one.file}: {done}, {one.size_bytes} bytes")
    else:
        say(f"slurm-mig: {one.file} stays: {one.why}")
