"""`slurm-mig recover`: end what an interrupted apply or reconfigure left."""

from typing import TYPE_CHECKING

import click

from slurm_mig.cli.common import root_of, root_option

if TYPE_CHECKING:
    from pathlib import Path

    from slurm_mig.reconfigure.record import Record


@click.command("recover")
@click.option(
    "--undo", is_flag=True, help="Only back to what was before, not on to what was wanted."
)
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="For jobs.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@root_option
@click.pass_context
def command(ctx: click.Context, undo: bool, timeout: float | None, as_json: bool) -> int:
    """End what an interrupted apply or reconfigure left.

    Both write down what they are about to do, and how to go back, before they do it. This reads
    it, and brings the node to one of the two: what was wanted, or what was before. After a
    reconfigure it goes through the same phases, and gives the node back to Slurm; it also starts
    the GPU daemons that were stopped meanwhile. Where nothing was interrupted, it looks whether
    slurmctld was, and has forgotten the end of the last reconfigure: then it tells it again. It
    may be run again and again.
    """
    from slurm_mig.cli.applied import interruptible, refusing, tell
    from slurm_mig.cli.progress import shown
    from slurm_mig.gpu.change.apply import run_recover
    from slurm_mig.gpu.change.prepare import Request
    from slurm_mig.reconfigure import record
    from slurm_mig.settings import load

    root = root_of(ctx)
    with refusing("recover", as_json=as_json):
        found = record.read(root) or _forgotten(root)
        if found is None:
            with interruptible(root), shown() as watch:
                outcome = run_recover(Request(root, load(root), watch=watch), undo=undo)
            return tell("recover", outcome, as_json=as_json)
    return _of_reconfigure(ctx, found.node, undo, timeout, as_json)


def _forgotten(root: "Path") -> "Record | None":
    """Of the last reconfigure, if slurmctld has forgotten its end; where it can be asked."""
    from slurm_mig.errors import SlurmMigError
    from slurm_mig.reconfigure import entry, record
    from slurm_mig.reconfigure.site import request_of, world_of
    from slurm_mig.reconfigure.world import Options

    try:
        last = record.read(root, record.LAST)
        if last is None:
            return None
        world = world_of(root, last.node, Options(), lambda _: None)[1]
        return entry.forgotten(world, request_of(root))
    except SlurmMigError:  # then there is no more to know than of the GPUs
        return None


def _of_reconfigure(
    ctx: click.Context, node: str, undo: bool, timeout: float | None, as_json: bool
) -> int:
    from slurm_mig.cli.applied import interruptible
    from slurm_mig.cli.reconfigured import shown, tell
    from slurm_mig.reconfigure import entry
    from slurm_mig.reconfigure.site import request_of, world_of
    from slurm_mig.reconfigure.world import Options

    root = root_of(ctx)
    with interruptible(root), shown() as watch:
        name, world = world_of(root, node, Options(timeout), watch)
        ended = entry.recover(world, request_of(root), undo=undo)
    return tell(f"{name}, recover", ended, as_json=as_json, back=True)
