"""`slurm-mig usage admin-comment`: jobs' figures into Slurm's accounting, for jobstats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from slurm_mig.cli.common import root_of, root_option, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from slurm_mig.usage.jobstats.store import Outcome

_RECORDS = "/var/lib/slurm-mig/usage"
_TOLD = 5  # damaged lines


@click.command("admin-comment")
@click.option(
    "--records",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    metavar="PATH",
    help=f"Files of records, or folders of them; may be repeated.  [default: {_RECORDS}]",
)
@click.option(
    "--job", "job_ids", multiple=True, type=click.IntRange(1), metavar="ID", help="Only this job."
)
@click.option(
    "--since",
    default="7d",
    show_default=True,
    metavar="TIME",
    help="Only jobs that ended since then: 12h, 7d, or 2026-11-01 (UTC).",
)
@click.option(
    "--grace",
    default="1h",
    show_default=True,
    metavar="TIME",
    help="How long after its end a job waits for the records of all its nodes.",
)
@click.option("--force", is_flag=True, help="Also where there is a comment already.")
@click.option("--dry-run", is_flag=True, help="Only say what would be stored.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@root_option
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[Path, ...],
    job_ids: tuple[int, ...],
    since: str,
    grace: str,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Store what jobs used of their slices in Slurm's accounting, for `jobstats`.

    A job's summary becomes its AdminComment ("JS1:..."): by slice the memory it had and its
    peak, and how busy it was (Hopper and later). Slices are named as GPU minor.GPU instance,
    "0.7". What was not measured is left out. The host's CPUs and memory are added for a job of
    one node, as sacct knows them.

    Run it where the records of all nodes are, as a user who may change the comments of jobs
    (root, SlurmUser). Each job is done once: one that has a comment is left alone, so it can
    run every hour. --force puts the slices' figures into a summary that jobstats made, keeping
    what it says of the host; any other comment is replaced. Slurm 23.02 or later.

    \b
      slurm-mig usage admin-comment --records /srv/usage --dry-run
      slurm-mig usage admin-comment --records /srv/usage
      sacct -X -P -o jobid,admincomment -j 4242
    """
    import time

    from slurm_mig.cli.usage.moments import length_s, moment
    from slurm_mig.files import under
    from slurm_mig.slurm.controller.sacct import SacctAccounting
    from slurm_mig.usage.jobstats.decide import Options
    from slurm_mig.usage.jobstats.sources import Lines, Wanted
    from slurm_mig.usage.jobstats.store import store_comments

    wanted = Wanted(moment(since, time.time()), frozenset(job_ids))
    options = Options(length_s(grace), force, dry_run)
    lines = Lines(paths or (under(root_of(ctx), _RECORDS),), wanted)
    outcomes = _shown(store_comments(lines, SacctAccounting(), options), as_json)
    if as_json:
        _print_json(outcomes, lines.damaged)
    else:
        _tell_sums(outcomes, lines.damaged)
    return 1 if any(outcome.action == "failed" for outcome in outcomes) else 0


def _shown(outcomes: Iterable[Outcome], as_json: bool) -> list[Outcome]:
    """All of them; what was done, or could not be, is told as it happens."""
    kept = []
    for outcome in outcomes:
        kept.append(outcome)
        if not as_json and outcome.action not in ("present", "waits"):
            why = f": {outcome.why}" if outcome.why else ""
            click.echo(f"job {outcome.job_id}: {outcome.action}{why}")
    return kept


def _print_json(outcomes: Sequence[Outcome], damaged: Sequence[str]) -> None:
    import json

    jobs = [outcome._asdict() for outcome in outcomes]
    click.echo(json.dumps({"version": 1, "jobs": jobs, "damaged": list(damaged)}, indent=2))


def _tell_sums(outcomes: Sequence[Outcome], damaged: Sequence[str]) -> None:
    actions = [outcome.action for outcome in outcomes]
    counts = [f"{actions.count(action)} {action}" for action in dict.fromkeys(actions)]
    click.echo(f"{len(actions)} jobs: {', '.join(counts)}" if actions else "no records of jobs")
    for line in damaged[:_TOLD]:
        say(f"slurm-mig: damaged: {line}")
    if len(damaged) > _TOLD:
        say(f"slurm-mig: {len(damaged) - _TOLD} more damaged lines")
