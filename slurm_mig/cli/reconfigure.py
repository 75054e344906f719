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
    from slurm_mig.reconfigure.begin import Chooser

FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
SECONDS = click.FloatRange(min=0)


@click.command("reconfigure")
@click.argument("node", required=False)
@click.option("-f", "--file", type=FILE, help="The wanted configurations; - is standard input.")
@click.option("-c", "--config", metavar="LABEL", help="Which of them, if the file has several.")
@click.option("--timeout", type=SECONDS, metavar="SECONDS", help="Give up waiting for jobs then.")
@click.option("--cancel-after", type=SECONDS, metavar="SECONDS", help="Cancel those jobs then.")
@click.option("--smoke/--no-smoke", default=None, help="A test job on each slice, or none.")
@click.option("--rollback", is_flag=True, help="Back to what was before the last one.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and for whom it waits.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@root_option
@click.pass_context
def command(
    ctx: click.Context,
    node: str | None,
    file: Path | None,
    config: str | None,
    timeout: float | None,
    cancel_after: float | None,
    smoke: bool | None,
    rollback: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Give this node another MIG configuration, and Slurm the new slices.

    Run it on the node itself. It drains the node, waits for the jobs that hold GPUs there (others
    go on), stops slurmd, changes the GPUs, writes gres.conf and tells slurmctld, starts slurmd,
    holds what Slurm has against what is there, and resumes the node, if nobody else had drained
    it. If anything fails, the same way leads back; if that fails too, the node stays drained, and
    its reason says what to do. With --smoke, or where the site has chosen so, test jobs of root's
    run on each slice before the node takes others.

    \b
      slurm-mig reconfigure -f /etc/slurm-mig/mig.yaml -c all-balanced --dry-run
      slurm-mig reconfigure -f /etc/slurm-mig/mig.yaml -c all-balanced
      slurm-mig reconfigure --rollback

    After a crash, `slurm-mig recover`.
    """
    from slurm_mig.cli.applied import interruptible
    from slurm_mig.cli.prospect import show
    from slurm_mig.cli.reconfigured import shown, tell
    from slurm_mig.reconfigure import entry
    from slurm_mig.reconfigure.site import request_of, world_of
    from slurm_mig.reconfigure.world import Options

    if rollback == (file is not None):
        raise UsageError("give one of --file FILE and --rollback")
    root = root_of(ctx)
    what, choose = (config or "", None) if file is None else _wanted(file, config)
    options = Options(timeout, cancel_after, smoke=smoke)
    with interruptible(root), shown() as watch:
        name, world = world_of(root, node, options, watch)
        request = request_of(root)
        if choose is None:
            ended = entry.rollback(world, request, name)
        elif dry_run:
            show(name, what, entry.prospect(world, request, name, choose), as_json=as_json)
            return 0
        else:
            ended = entry.start(world, request, name, what, choose)
    return tell(f"{name}, {what or 'rollback'}", ended, as_json=as_json, back=rollback)


def _wanted(file: Path, config: str | None) -> "tuple[str, Chooser]":
    from slurm_mig.gpu.config.migconfig import resolve, select
    from slurm_mig.gpu.config.migyaml import read

    wanted = read(file)
    label = select(wanted, config)

    def choose(gpus: "Sequence[LiveGpu]") -> "Mapping[GpuIndex, WantedGpu]":
        return resolve(wanted, label, gpus)

    return label, choose
