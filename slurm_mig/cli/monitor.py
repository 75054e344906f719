"""`slurm-mig monitor`: sample what jobs make of their slices, while they run."""

import time
from pathlib import Path

import click

from slurm_mig.cli.common import root_of, root_option, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from slurm_mig.usage.monitor.settings import MonitorSettings

_BETWEEN_S = 1.0  # two looks of --once: activity is what lies between


@click.command("monitor")
@click.option(
    "--period",
    "period_s",
    type=float,
    metavar="SECONDS",
    help="Time from one sample to the next. [config.toml: 5]",
)
@click.option("--once", is_flag=True, help="Look once, print what there is, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --once: print JSON.")
@root_option
@click.pass_context
def command(ctx: click.Context, period_s: float | None, once: bool, as_json: bool) -> int:
    """Sample what jobs make of their slices, while they run.

    Sleeps while no job holds a slice, with NVML closed. Else it asks, every period, for memory,
    processes, activity (Hopper and later), energy and errors, and adds them up; the job's epilog
    puts the sums into the job's usage record. systemd/slurm-mig-monitor.service runs it; it
    ends upon SIGTERM, and goes on where it was when it is started again.

    With --once, one look is printed, whether or not the daemon runs.

    \b
      slurm-mig monitor
      slurm-mig monitor --once
      slurm-mig monitor --once --json
    """
    from slurm_mig.usage.monitor import settings

    root = root_of(ctx)
    chosen = settings.load(root)
    if period_s is not None:
        if (why := settings.period_problem(period_s)) is not None:
            raise click.BadParameter(why, ctx, param_hint="--period")
        chosen = chosen._replace(period_s=period_s)
    if once:
        return _once(root, chosen, as_json)
    if as_json:
        raise click.UsageError("--json goes with --once: the daemon prints nothing", ctx)
    return _daemon(root, chosen)


def _daemon(root: Path, chosen: "MonitorSettings") -> int:
    import os

    from slurm_mig.errors import SlurmMigError
    from slurm_mig.gpu.nvml.usage_adapter import usage_session
    from slurm_mig.usage.monitor.clock import MachineClock
    from slurm_mig.usage.monitor.daemon import Daemon
    from slurm_mig.usage.monitor.notify import Notify

    try:
        daemon = Daemon(root, chosen, usage_session, MachineClock(), Notify(os.environ))
        daemon.run()
    except OSError as error:
        where = error.filename or "/run/slurm-mig"
        raise SlurmMigError(f"{where}: {error.strerror}: run it as root") from error
    return 0


def _once(root: Path, chosen: "MonitorSettings", as_json: bool) -> int:
    from slurm_mig.gpu.nvml.usage_adapter import usage_session
    from slurm_mig.usage.monitor.clock import MachineClock
    from slurm_mig.usage.monitor.jobs import OpenJobs
    from slurm_mig.usage.monitor.monitor import Monitor

    monitor = Monitor(root, chosen, usage_session, MachineClock(), writes=False)
    try:
        jobs = OpenJobs(str(root), make=False)
    except FileNotFoundError:  # no prolog ever ran here
        found = {}
    else:
        found = jobs.look()
        jobs.close()
    monitor.meet(found)
    monitor.round()
    if found and chosen.gpm:
        time.sleep(_BETWEEN_S)
        monitor.round()
    snapshot = monitor.snapshot()
    monitor.close()
    if as_json:
        import json

        from slurm_mig.usage.monitor.shown import as_json_value

        click.echo(json.dumps(as_json_value(snapshot), indent=2))
    else:
        from slurm_mig.cli.monitor_table import show

        show(snapshot)
    if snapshot.why is not None:
        say(f"slurm-mig: {snapshot.state}: {snapshot.why}")
    return 1 if snapshot.state == "failing" else 0
