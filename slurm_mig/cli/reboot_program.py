"""`slurm-mig reboot-program`: what hooks/reboot runs, Slurm's RebootProgram."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from slurm_mig.cli.common import root_of, root_option
from slurm_mig.errors import UsageError

if TYPE_CHECKING:
    from slurm_mig.reconfigure.loop import Ended
    from slurm_mig.reconfigure.reboot.program import Named
    from slurm_mig.reconfigure.world import Event


@click.command("reboot-program", context_settings={"ignore_unknown_options": True})
@click.option("-c", "--config", metavar="LABEL", help="What a PowerAction wants of the node.")
@click.option("--rollback", is_flag=True, help="A PowerAction wants what the node had before.")
@click.option("--carry-out", metavar="ORDER", hidden=True)
@click.argument("more", nargs=-1, type=click.UNPROCESSED)
@root_option
@click.pass_context
def command(
    ctx: click.Context,
    config: str | None,
    rollback: bool,
    carry_out: str | None,
    more: tuple[str, ...],
) -> int:
    """What Slurm is to run as RebootProgram, by the stub hooks/reboot.

    If a `slurm-mig reconfigure --by reboot` waits for this node, or a PowerAction brings a label
    or the way back, the node is repartitioned: a process of its own does that, and this one ends
    at once. Else it is an ordinary reboot, and the site's `reboot_command` takes this one's place,
    with whatever Slurm has given it. What was decided, and how it went, is in
    /var/log/slurm-mig/reboot.log.
    """
    from slurm_mig.errors import SlurmMigError
    from slurm_mig.reconfigure.reboot import detach
    from slurm_mig.reconfigure.reboot.program import Named

    root = root_of(ctx)
    named = Named(config or "", rollback) if rollback or config is not None else None
    try:
        if rollback and config is not None:
            raise UsageError("give one of --config LABEL and --rollback")
        if carry_out is not None:
            return _carry_out(root, named, carry_out)
        return _decide(root, named, more)
    except SlurmMigError as why:
        detach.log(root, str(why))
        raise


def _decide(root: Path, named: "Named | None", more: tuple[str, ...]) -> int:
    from slurm_mig.reconfigure.reboot import detach
    from slurm_mig.reconfigure.reboot.site import task_of

    node, task = task_of(root, named)
    if task is None:
        _reboot(root, more)
    detach.log(root, f"{node}: to {task.wanted.what}, run {task.order.run}")
    words = [sys.executable, "-I", "-B", "-m", "slurm_mig", "reboot-program", f"--root={root}"]
    words += [f"--carry-out={task.order.order}"]
    if named is not None:
        words += ["--rollback"] if named.rollback else [f"--config={named.label}"]
    detach.detached(root, words)
    return 0


def _reboot(root: Path, more: tuple[str, ...]) -> NoReturn:
    """Become the site's command. Raises SlurmMigError where it is not there."""
    from slurm_mig.errors import CommandError
    from slurm_mig.gpu.change import sitecommand
    from slurm_mig.reconfigure.reboot import detach
    from slurm_mig.reconfigure.settings import load

    words = [*load(root).reboot_command, *more]
    program = sitecommand.find(words[0])
    if program is None:
        raise CommandError(f"{words[0]} is not installed: set reboot_command in config.toml")
    detach.log(root, f"an ordinary reboot: {sitecommand.shown(words)}")
    path = {"PATH": sitecommand.SAFE_PATH}
    os.execve(program, [program, *words[1:]], {**path, **os.environ})  # noqa: S606


def _carry_out(root: Path, named: "Named | None", order: str) -> int:
    """In the process of its own: to the end, whatever that is. The log has what it says."""
    from slurm_mig.cli.applied import interruptible
    from slurm_mig.reconfigure.reboot.site import carry_out

    with interruptible(root):
        node, ended = carry_out(root, order, named, _say)
    click.echo(f"{node}: {_told(ended)}")
    return 0 if ended.outcome in ("done", "nothing") else 1


def _say(event: "Event") -> None:
    if event.state in ("ended", "failed"):
        click.echo(f"{event.seconds:9.3f} s  {event.phase} {event.state} {event.text}".rstrip())
        sys.stdout.flush()


def _told(ended: "Ended") -> str:
    return ": ".join(filter(None, (ended.outcome, ended.problem, ended.next_step)))
