"""`slurm-mig usage prune`: remove old files of records that were collected."""

import time
from typing import TYPE_CHECKING

import click

from slurm_mig.cli.common import root_of, root_option, say
from slurm_mig.cli.usage.options import db_option, way_to

if TYPE_CHECKING:
    from slurm_mig.usage.store.discard import NodePruned


@click.command("prune")
@click.option("--before", required=True, metavar="YYYY-MM", help="Files of earlier months only.")
@db_option
@click.option("--from", "nodes", metavar="NODES", help="On these nodes ('gpu[01-64]').")
@click.option("--dry-run", is_flag=True, help="Look at everything and remove nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@root_option
@click.pass_context
def command(
    ctx: click.Context, before: str, db: str | None, nodes: str | None, dry_run: bool, as_json: bool
) -> int:
    """Remove record files of earlier months of which the database has every line.

    Without --from this machine's own: each line is looked up. With it those of other nodes, as
    far as `collect --from` read them whole, and nothing was added or changed since. A file of
    which a line is missing stays, and the exit code is 1. The files of this month and the last
    always stay.

    \b
      slurm-mig usage prune --before 2026-09 --dry-run
      slurm-mig usage prune --before 2026-09 --from 'gpu[01-64]'
    """
    from slurm_mig.usage.store.database import opened
    from slurm_mig.usage.store.discard import NodePruned, prune_nodes
    from slurm_mig.usage.store.prune import prune

    root, now = root_of(ctx), time.time()
    with opened(root, db) as store:
        if nodes is None:
            files = tuple(prune(store, root, before, now, dry_run=dry_run))
            found = [NodePruned("", files, None)]
        else:
            names, way = way_to(root, nodes, "discard")
            found = prune_nodes(store, names, way, before, now, dry_run=dry_run)
    if as_json:
        _print_json(found, dry_run=dry_run)
    else:
        _tell(found, before, "would be removed" if dry_run else "removed")
    stays = any(one.why is not None for node in found for one in node.files)
    return 1 if stays or any(node.why is not None for node in found) else 0


def _print_json(found: "list[NodePruned]", *, dry_run: bool) -> None:
    import json

    nodes = [
        {
            "node": node.node or None,
            "why": node.why,
            "files": [one._asdict() for one in node.files],
        }
        for node in found
    ]
    click.echo(json.dumps({"version": 1, "dry_run": dry_run, "nodes": nodes}, indent=2))


def _tell(found: "list[NodePruned]", before: str, done: str) -> None:
    for node in found:
        where = f"{node.node}: " if node.node else ""
        if node.why is not None:
            say(f"slurm-mig: {where}{node.why}")
        for one in node.files:
            if one.why is None:
                click.echo(f"{where}{one.file}: {done}, {one.size_bytes} bytes")
            else:
                say(f"slurm-mig: {where}{one.file} stays: {one.why}")
    if not any(node.files or node.why for node in found):
        say(f"slurm-mig: there are no files of months before {before}")
