"""`slurm-mig apply`: make the GPUs what a configuration wants, or leave them as they are."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slurm_mig.cli.common import root_of, root_option
from slurm_mig.errors import Refused, UsageError

if TYPE_CHECKING:
    from slurm_mig.gpu.change.prepare import Request
    from slurm_mig.gpu.partitioning import LiveGpu, WantedGpu
    from slurm_mig.model import GpuIndex

FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
_COMMITTED = "the committed configuration"


@click.command("apply")
@click.option("-f", "--file", type=FILE, help="The wanted configurations; - is standard input.")
@click.option("-c", "--config", metavar="LABEL", help="Which of them, if the file has several.")
@click.option("--committed", is_flag=True, help="What was last applied with success: at boot.")
@click.option("--dry-run", is_flag=True, help="Only plan: show what would be done, and by whom.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@root_option
@click.pass_context
def command(
    ctx: click.Context,
    file: Path | None,
    config: str | None,
    committed: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Make this node's GPUs what a configuration wants.

    Only what differs is changed; what fits, and what is in use, stays. Before the first change
    everything that forbids it is told: who is in the way, with PID, user, command and Slurm job;
    what does not fit. If anything fails, all GPUs go back to what they were. The GPUs' daemons
    (DCGM and its like) are stopped meanwhile, as /etc/slurm-mig/config.toml says.

    \b
      slurm-mig apply -f /etc/slurm-mig/mig.yaml -c all-balanced --dry-run
      slurm-mig apply -f /etc/slurm-mig/mig.yaml -c all-balanced
      slurm-mig apply --committed        # again what was last applied; systemd does so at boot

    It knows nothing of Slurm: drain the node first. After a crash, `slurm-mig recover`.
    """
    from slurm_mig.cli.applied import interruptible, refusing, tell
    from slurm_mig.cli.progress import shown
    from slurm_mig.gpu.change.apply import run

    if committed == (file is not None):
        raise UsageError("give one of --file FILE and --committed")
    if committed and config is not None:
        raise UsageError("--config goes with --file")
    asked = _COMMITTED if file is None else f"{file}, {config or ''}".rstrip(", ")
    with refusing(asked, as_json=as_json and not dry_run):
        what, request = _request(root_of(ctx), file, config)
    if dry_run:
        return _plan(what, request, as_json)
    with refusing(what, as_json=as_json), interruptible(request.root), shown() as watch:
        outcome = run(request._replace(watch=watch))
    return tell(what, outcome, as_json=as_json)


def _request(root: Path, file: Path | None, config: str | None) -> "tuple[str, Request]":
    from slurm_mig.gpu.change.prepare import Request
    from slurm_mig.settings import load

    settings = load(root)
    if file is None:
        return _COMMITTED, Request(root, settings)
    from slurm_mig.gpu.config.migconfig import resolve, select
    from slurm_mig.gpu.config.migyaml import read

    wanted = read(file)
    label = select(wanted, config)

    def choose(gpus: "Sequence[LiveGpu]") -> "Mapping[GpuIndex, WantedGpu]":
        return resolve(wanted, label, gpus)

    return f"{wanted.source}, {label}", Request(root, settings, choose)


def _plan(what: str, request: "Request", as_json: bool) -> int:
    from slurm_mig.gpu.change.holders import occupied
    from slurm_mig.gpu.change.prepare import prepare

    prepared = prepare(request)
    users = occupied(prepared.sight, [each.gpu for each in prepared.plans])
    if as_json:
        import json

        from slurm_mig.gpu.planning.planjson import to_json

        source, _, label = what.rpartition(", ")
        told = to_json(source, label, prepared.paper, prepared.others, users, ())
        told |= {"possible": not prepared.problems, "problems": list(prepared.problems)}
        click.echo(json.dumps(told, indent=2))
    else:
        from slurm_mig.cli.plan_table import show

        show(what, prepared.paper, prepared.others, users)
    for remark in prepared.missing:
        click.echo(f"slurm-mig: warning: {remark}", err=True)
    if prepared.problems:
        raise Refused(f"{what} cannot be applied", prepared.problems)
    return 0
