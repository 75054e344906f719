"""`slurm-mig recover`: end what an interrupted apply left, after a crash, a kill or a reboot."""

import click

from slurm_mig.cli.common import root_of, root_option


@click.command("recover")
@click.option(
    "--undo", is_flag=True, help="Only back to what was before, not on to what was wanted."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@root_option
@click.pass_context
def command(ctx: click.Context, undo: bool, as_json: bool) -> int:
    """End what an interrupted apply left.

    An apply writes down what it is about to do, and how to go back, before it does it. This reads
    it, and brings every GPU to one of the two: what was wanted, or what was before. It also
    starts the GPU daemons that were stopped meanwhile. It may be run again and again.
    """
    from slurm_mig.cli.applied import interruptible, refusing, tell
    from slurm_mig.cli.progress import shown
    from slurm_mig.gpu.change.apply import run_recover
    from slurm_mig.gpu.change.prepare import Request
    from slurm_mig.settings import load

    root = root_of(ctx)
    with refusing("recover", as_json=as_json), interruptible(root), shown() as watch:
        outcome = run_recover(Request(root, load(root), watch=watch), undo=undo)
    return tell("recover", outcome, as_json=as_json)
