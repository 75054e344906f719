"""`slurm-mig usage discard`: what a prune from afar runs on a node."""

import sys
import time

import click

from slurm_mig.cli.common import root_of, root_option

_MOST = 4 << 20  # bytes of an order


@click.command("discard")
@root_option
@click.pass_context
def command(ctx: click.Context) -> None:
    """Remove this node's old record files that a database has whole; `prune --from` runs it.

    On standard input it gets which, as JSON: {"version": 1, "before": "2026-09", "dry_run": true,
    "known": {"2026-08.jsonl": [POSITION, DIGEST]}}. A file goes only if it ends at that position
    and has that digest. It prints a line of JSON for each file of an earlier month.
    """
    from slurm_mig.errors import UsageError
    from slurm_mig.usage.store.discard import discard
    from slurm_mig.usage.store.frames import Malformed, last_line, pruned_line, read_order

    try:
        given = read_order(sys.stdin.buffer.read(_MOST))
    except Malformed as why:
        raise UsageError(f"standard input: {why}") from None
    for one in discard(root_of(ctx), given, time.time()):
        click.echo(pruned_line(one))
    click.echo(last_line(more=False))
