"""`slurm-mig reconfigure`: drain this node, repartition it, tell Slurm, and give it back."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slurm_mig.cli.common import root_of, root_option
from slurm_mig.errors import UsageError

if TYPE_CHECKING:
    from slurm_mig.gpu.partitioning import LiveGpu, WantedGpu
    from slurm_mig.model import GpuIndex

FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@click.command("reconfigure")
@click.argument("node", required=False)
@click.option("-f", "--file", type=FILE, help="The wanted configurations; - is standard input.")
@click.option("-c", "--config", metavar="LABEL", help="Which of them, if the file has several.")
@click.option("--timeout", type=float, metavar="SECONDS", help="How long to wait for jobs.")
@click.option("--cancel-after", type=float, metavar="SECONDS", help="Then cancel those jobs.")
@click.option("--rollback", is_flag=True, help="Back to what was before the last one.")
@root_option
@click.pass_context
def command(
    ctx: click.Context,
    node: str | None,
    file: Path | None,
    config: str | None,
    timeout: float | None,
    cancel_after: float | None,
    rollback: bool,
) -> int:
    """Give this node's GPUs another MIG configuration, and Slurm the new slices."""
    from slurm_mig.gpu.migconfig import resolve, select
    from slurm_mig.gpu.migyaml import read
    from slurm_mig.reconfigure import begin, loop
    from slurm_mig.reconfigure.run import Run
    from slurm_mig.reconfigure.site import request_of, world_of
    from slurm_mig.reconfigure.world import Event, Options

    if file is None:
        raise UsageError("give --file FILE")
    root = root_of(ctx)
    wanted = read(file)
    label = select(wanted, config)

    def choose(gpus: "Sequence[LiveGpu]") -> "Mapping[GpuIndex, WantedGpu]":
        return resolve(wanted, label, gpus)

    def tell(event: Event) -> None:
        click.echo(f"{event.phase} {event.state} {event.text} {event.seconds:.3f}", err=True)

    name, world = world_of(root, node, Options(timeout, cancel_after), tell)
    prospect = begin.look(world, request_of(root), name, choose)
    if prospect.nothing:
        click.echo("nothing to do")
        return 0
    record = begin.open_record(world, name, label, prospect)
    ended = loop.forward(Run(world, record))
    click.echo(str(ended))
    return 0 if ended.outcome == loop.DONE else 1
