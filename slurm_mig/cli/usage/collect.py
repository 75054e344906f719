"""`slurm-mig usage collect`: gather the records of many nodes into one database."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from slurm_mig.cli.common import root_of, root_option, say
from slurm_mig.cli.usage.options import db_option, way_to

if TYPE_CHECKING:
    from slurm_mig.usage.store.collect import Collected
    from slurm_mig.usage.store.database import Store


@click.command("collect")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True), metavar="[PATH]…")
@db_option
@click.option("--from", "nodes", metavar="NODES", help="Ask these nodes ('gpu[01-64]') for theirs.")
@click.option("--again", is_flag=True, help="Read the files from their beginnings.")
@click.option(
    "--admin-comment", is_flag=True, help="Then `slurm-mig usage admin-comment`, as it is alone."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@root_option
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[Path, ...],
    db: str | None,
    nodes: str | None,
    again: bool,
    admin_comment: bool,
    as_json: bool,
) -> int:
    """Gather the records of many nodes into one database, each exactly once.

    Without PATH and --from it takes this machine's own (/var/lib/slurm-mig/usage). PATH is a
    file, or a folder with copies of many nodes' files (rsync). With --from it asks the nodes
    themselves, by ssh or as [reconfigure] of config.toml says; a record that names another node
    than the one it came from is not taken.

    Run it as often as you like, by a timer for instance: it goes on where it was, also after it
    was killed. Two at once do no harm. A line that is no record is told, noted in the table
    usage_damaged, and stops nothing.

    With readable_by_users in [usage] of config.toml, each user then finds his own jobs in
    /var/lib/slurm-mig-users, and `slurm-mig usage job` shows them to him.

    Exit code: 1 where a file or a node could not be read; what could be read is stored.

    \b
      slurm-mig usage collect
      slurm-mig usage collect --from 'gpu[01-64]'
      slurm-mig usage collect --db postgresql://slurm_mig@db/usage /srv/usage-of-nodes
    """
    from slurm_mig.cli.usage.collecting import shown
    from slurm_mig.errors import UsageError
    from slurm_mig.files import under
    from slurm_mig.usage.store.collect import collect
    from slurm_mig.usage.store.database import opened
    from slurm_mig.usage.store.fetch import fetch
    from slurm_mig.usage.store.ship import USAGE

    root = root_of(ctx)
    if nodes is not None and (paths or again):
        raise UsageError("--from goes with neither PATH nor --again: the nodes send what is new")
    if admin_comment and as_json:
        raise UsageError("--admin-comment goes not with --json: run it by itself for its JSON")
    with opened(root, db, make=True) as store:
        with shown() as watch:
            if nodes is not None:
                names, way = way_to(root, nodes, "ship")
                done = fetch(store, names, way, watch=watch)
            else:
                own = under(root, USAGE)
                found = list(paths) or ([own] if own.is_dir() else [])
                done = collect(store, found, watch=watch, again=again)
        _tell(done, store.name, as_json=as_json)
        if db is None:
            _let_users_see(root, store)
    failed = _comment(ctx, db) if admin_comment else 0
    return 1 if done.unread or failed else 0


def _comment(ctx: click.Context, db: str | None) -> int:
    """`admin-comment` over the same database, its other options as they are by themselves."""
    from slurm_mig.cli.usage import admin_comment

    words = [] if db is None else ["--db", db]
    with admin_comment.command.make_context("admin-comment", words, parent=ctx) as inner:
        return int(admin_comment.command.invoke(inner))


def _let_users_see(root: Path, store: "Store") -> None:
    """Files of their own for the users, if the site lets them see their jobs; else none."""
    from slurm_mig.usage.report.export import publish, withdraw
    from slurm_mig.usage.settings import load

    if load(root).readable_by_users:
        publish(root, store)
    else:
        withdraw(root)


def _tell(done: "Collected", name: str, *, as_json: bool) -> None:
    for sentence in done.told:
        say(f"slurm-mig: warning: {sentence}")
    more = done.damaged + done.newer + done.differing + done.unread - len(done.told)
    if more > 0:
        say(f"slurm-mig: warning: and {more} more: the table usage_damaged has damaged lines")
    if as_json:
        import json

        told = {"version": 1, "database": name, **done._asdict()}
        click.echo(json.dumps(told, indent=2))
        return
    counts = [
        (done.known, "known already"),
        (done.damaged, "damaged lines"),
        (done.newer, "lines of a later version"),
        (done.unread, "not read"),
    ]
    also = "".join(f", {count} {what}" for count, what in counts if count)
    click.echo(f"{name}: {done.new} new records from {done.files} files{also}")
