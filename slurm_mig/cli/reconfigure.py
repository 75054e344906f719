"""`slurm-mig reconfigure`: drain nodes, repartition them, tell Slurm, and give them back."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from slurm_mig.cli.common import root_of, root_option
from slurm_mig.errors import UsageError

if TYPE_CHECKING:
    from slurm_mig.cli.fleet import Chosen
    from slurm_mig.gpu.partitioning import LiveGpu, WantedGpu
    from slurm_mig.model import GpuIndex
    from slurm_mig.reconfigure.begin import Chooser
    from slurm_mig.reconfigure.fleet.entry import Wish

FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
SECONDS = click.FloatRange(min=0)
COUNT = click.IntRange(min=1)


@click.command("reconfigure")
@click.argument("nodes", required=False)
@click.option("-f", "--file", type=FILE, help="The wanted configurations; - is standard input.")
@click.option("-c", "--config", metavar="LABEL", help="Which of them, if the file has several.")
@click.option("--timeout", type=SECONDS, metavar="SECONDS", help="Give up waiting for jobs then.")
@click.option("--cancel-after", type=SECONDS, metavar="SECONDS", help="Cancel those jobs then.")
@click.option("--smoke/--no-smoke", default=None, help="A test job on each slice, or none.")
@click.option("--rollback", is_flag=True, help="Back to what was before the last one.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and for whom it waits.")
@click.option("--max-unavailable", metavar="N|P%", help="So many nodes at a time.  [default: 1]")
@click.option("--max-failures", type=COUNT, metavar="N", help="No new wave then.  [default: 1]")
@click.option(
    "--by",
    type=click.Choice(["reach", "reboot"]),
    help="Log in to the nodes, or have Slurm reboot them.  [default: reach]",
)
@click.option("--status", is_flag=True, help="Show how a run over many nodes is.")
@click.option("--resume", is_flag=True, help="Take up a run over many nodes again.")
@click.option("--run", "run_id", metavar="ID", help="Which run, if not the last one.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@root_option
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:  # noqa: ANN401
    """Give nodes another MIG configuration, and Slurm the new slices.

    Without NODES it is this node. It drains the node, waits for the jobs that hold GPUs there
    (others go on), stops slurmd, changes the GPUs, writes gres.conf and tells slurmctld, starts
    slurmd, holds what Slurm has against what is there, and resumes the node, if nobody else had
    drained it. If anything fails, the same way leads back; if that fails too, the node stays
    drained, and its reason says what to do. With --smoke, or where the site has chosen so, test
    jobs of root's run on each slice before the node takes others.

    \b
      slurm-mig reconfigure -f /etc/slurm-mig/mig.yaml -c all-balanced --dry-run
      slurm-mig reconfigure -f /etc/slurm-mig/mig.yaml -c all-balanced
      slurm-mig reconfigure --rollback

    After a crash, `slurm-mig recover`.

    Many nodes go in waves, from a machine with Slurm's admin rights that reaches them (by ssh):
    Slurm is told of a wave's nodes together, and no new wave begins once nodes have failed.

    \b
      slurm-mig reconfigure 'gpu[01-64]' -f mig.yaml -c all-balanced --max-unavailable 8
      slurm-mig reconfigure --status
      slurm-mig reconfigure --resume

    A run whose command was cut short goes on with --resume, from another shell too.

    With --by reboot nobody logs in: Slurm empties the nodes and runs its RebootProgram there,
    which is to be slurm-mig's (hooks/reboot). All options go with it; --dry-run then tells what
    slurmctld's types and the known GPU models say, for no node is asked. See docs/reconfigure.md.
    """
    return _do(root_of(ctx), Given(**given))


class Given(NamedTuple):
    """What the command line says."""

    nodes: str | None
    file: Path | None
    config: str | None
    timeout: float | None
    cancel_after: float | None
    smoke: bool | None
    rollback: bool
    dry_run: bool
    max_unavailable: str | None
    max_failures: int | None
    by: str | None
    status: bool
    resume: bool
    run_id: str | None
    as_json: bool


def _do(root: Path, given: Given) -> int:
    """The way that is asked for. Raises UsageError for what does not go together."""
    if given.status or given.resume:
        return _of_a_run(root, given)
    if given.rollback == (given.file is not None):
        raise UsageError("give one of --file FILE and --rollback")
    if given.rollback and given.config is not None:
        raise UsageError("--config is of a FILE: --rollback knows what was before")
    if given.run_id is not None:
        raise UsageError("--run is for --status and --resume: a new run gets an ID of its own")
    by_reboot = given.by == "reboot"
    if given.nodes is not None and (by_reboot or not _is_here(root, given.nodes)):
        return _fleet(root, given.nodes, given)
    if given.max_unavailable or given.max_failures or given.by:
        raise UsageError("--max-unavailable, --max-failures and --by are for many nodes: name them")
    return _here(root, given)


def _here(root: Path, given: Given) -> int:
    """This node alone."""
    from slurm_mig.cli.applied import interruptible
    from slurm_mig.cli.prospect import show
    from slurm_mig.cli.reconfigured import shown, tell
    from slurm_mig.reconfigure import entry
    from slurm_mig.reconfigure.site import request_of, world_of
    from slurm_mig.reconfigure.world import Options

    if given.file is None:
        what, choose = "rollback", None
    else:
        what, choose = _wanted(given.file, given.config)
    options = Options(given.timeout, given.cancel_after, smoke=given.smoke)
    with interruptible(root), shown() as watch:
        name, world = world_of(root, given.nodes, options, watch)
        request = request_of(root)
        if given.dry_run:
            prospect = entry.prospect(world, request, name, choose)
            show(name, what, prospect, as_json=given.as_json)
            return 0
        if choose is None:
            ended = entry.rollback(world, request, name)
        else:
            ended = entry.start(world, request, name, what, choose)
    return tell(f"{name}, {what}", ended, as_json=given.as_json, back=choose is None)


def _is_here(root: Path, nodes: str) -> bool:
    from slurm_mig.slurm.daemon import host_name

    if nodes == host_name():  # as before there were many: nothing more is loaded
        return True
    from slurm_mig.cli import fleet

    return fleet.is_here(root, fleet.names_in(nodes))


def _fleet(root: Path, nodes: str, given: Given) -> int:
    from slurm_mig.cli import fleet

    wish = _wish(root, nodes, given)
    return (fleet.plan if given.dry_run else fleet.start)(root, wish, as_json=given.as_json)


def _wish(root: Path, nodes: str, given: Given) -> "Wish":
    """The text itself is kept, and is held against its format before any node is told of it."""
    from slurm_mig.cli import fleet
    from slurm_mig.gpu.config.migconfig import select
    from slurm_mig.gpu.config.migyaml import bytes_of, parse, source_of
    from slurm_mig.reconfigure.fleet.entry import Wish

    names = fleet.names_in(nodes)
    options = fleet.options_of(root, _chosen(given), len(names), given.by or "reach")
    if given.file is None:
        return Wish(names, "", "", True, options)
    data = bytes_of(given.file)
    label = select(parse(data, source_of(given.file)), given.config)
    return Wish(names, label, data.decode(), False, options)


def _of_a_run(root: Path, given: Given) -> int:
    """--status or --resume. Raises UsageError for what would be ignored."""
    from slurm_mig.cli import fleet

    more = (given.nodes, given.file, given.config, given.rollback, given.dry_run, given.by)
    if (given.status and given.resume) or any(more):
        raise UsageError("--status and --resume stand for themselves: the run knows the rest")
    if given.status and any(one is not None for one in _chosen(given)):
        raise UsageError("--status changes nothing: give that with --resume")
    if given.status:
        return fleet.show_status(root, given.run_id, as_json=given.as_json)
    return fleet.resume(root, given.run_id, _chosen(given), as_json=given.as_json)


def _chosen(given: Given) -> "Chosen":
    from slurm_mig.cli.fleet import Chosen

    return Chosen(
        given.max_unavailable, given.max_failures, given.timeout, given.cancel_after, given.smoke
    )


def _wanted(file: Path, config: str | None) -> "tuple[str, Chooser]":
    from slurm_mig.gpu.config.migconfig import resolve, select
    from slurm_mig.gpu.config.migyaml import read

    wanted = read(file)
    label = select(wanted, config)

    def choose(gpus: "Sequence[LiveGpu]") -> "Mapping[GpuIndex, WantedGpu]":
        return resolve(wanted, label, gpus)

    return label, choose
