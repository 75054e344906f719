"""`slurm-mig usage ship`: what a collect from afar runs on a node."""

import sys

import click

from slurm_mig.cli.common import root_of, root_option

_MOST = 4 << 20  # bytes of a question


@click.command("ship")
@root_option
@click.pass_context
def command(ctx: click.Context) -> None:
    """Print what was added to this node's records; `collect --from` runs it.

    On standard input it gets how far each file is known, as JSON:
    {"version": 1, "known": {"2026-11.jsonl": [POSITION, DIGEST]}}. It prints a line of JSON for
    each piece of a file that follows, some MiB at most, and a last line that says whether there
    is more. Nothing is changed.

    \b
      echo '{"version": 1, "known": {}}' | slurm-mig usage ship
    """
    from slurm_mig.errors import UsageError
    from slurm_mig.usage.store.frames import Malformed, read_question
    from slurm_mig.usage.store.ship import ship

    try:
        known = read_question(sys.stdin.buffer.read(_MOST))
    except Malformed as why:
        raise UsageError(f"standard input: {why}") from None
    for line in ship(root_of(ctx), known):
        click.echo(line)
