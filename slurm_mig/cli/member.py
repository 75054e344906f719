"""`slurm-mig member`: what `slurm-mig reconfigure NODES` has each node do."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slurm_mig.cli.common import root_of, root_option, say
from slurm_mig.cli.crash import report_bug
from slurm_mig.errors import SlurmMigError

if TYPE_CHECKING:
    from slurm_mig.reconfigure.fleet.wire import Order
    from slurm_mig.reconfigure.world import Event

INTERRUPTED = 130
_LIMIT = 1 << 20


@click.command("member")
@click.option("--foreground", is_flag=True, help="Stay a part of this process group.")
@root_option
@click.pass_context
def command(ctx: click.Context, foreground: bool) -> int:
    """Carry out an order of `slurm-mig reconfigure NODES`, which is on standard input.

    Not for people, but for looking at what goes on: an order is one JSON object (`run_id`,
    `node`, `label`, `text`, ...), what is printed are lines of JSON: an `event` as each phase
    begins and ends, and in the end a `report`. It goes on when the connection is lost, and the
    same order given again waits for it and tells how it ended.
    """
    from slurm_mig.reconfigure.fleet.wire import read_order

    order = read_order(sys.stdin.read(_LIMIT))
    root = root_of(ctx)
    if foreground or order.look:
        return _carry_out(root, order)
    return _detached(lambda: _carry_out(root, order))


def _detached(act: Callable[[], int]) -> int:
    """Do it in a session of its own: a lost connection, or terminal, ends only who waits."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.setsid()
    code = INTERRUPTED
    try:
        code = act()
    except SlurmMigError as why:
        say(f"slurm-mig: {why}")
        code = why.exit_code
    except Exception as error:
        code = report_bug(error)
    finally:
        os._exit(code)


def _carry_out(root: Path, order: "Order") -> int:
    from slurm_mig.cli.applied import interruptible
    from slurm_mig.reconfigure.fleet import site, wire

    def tell(event: "Event") -> None:
        _print(wire.event_line(event))

    with interruptible(root):
        if order.look:
            _print(wire.look_line(site.look(root, order)))
        else:
            _print(wire.report_line(site.obey(root, order, tell)))
    return 0


def _print(line: str) -> None:
    """Nobody may listen any more."""
    with suppress(OSError):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
