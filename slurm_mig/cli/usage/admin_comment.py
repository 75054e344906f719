"""`slurm-mig usage admin-comment`: jobs' figures into Slurm's accounting, for jobstats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from slurm_mig.cli.common import root_of, root_option
from slurm_mig.cli.usage.moments import Length, Moment
from slurm_mig.cli.usage.reading import Place, place_options, reading, tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from slurm_mig.usage.jobstats.store import Outcome


@click.command("admin-comment")
@place_options
@click.option(
    "--job", "job_ids", multiple=True, type=click.IntRange(1), metavar="ID", help="Only this job."
)
@click.option(
    "--since",
    type=Moment(),
    default="7d",
    show_default=True,
    metavar="TIME",
    help="Only jobs that ended since then: 12h, 7d, or 2026-11-01.",
)
@click.option(
    "--grace",
    "grace_s",
    type=Length(),
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
    db: str | None,
    records: tuple[Path, ...],
    job_ids: tuple[int, ...],
    since: float,
    grace_s: float,
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
      slurm-mig usage admin-comment --dry-run
      slurm-mig usage admin-comment
      sacct -X -P -o jobid,admincomment -j 4242
    """
    from slurm_mig.slurm.controller.sacct import SacctAccounting
    from slurm_mig.usage.jobstats.decide import Options
    from slurm_mig.usage.jobstats.parts import parts_of
    from slurm_mig.usage.jobstats.store import store_comments
    from slurm_mig.usage.store.asking import Filters

    options = Options(grace_s, force, dry_run)
    filters = Filters(since=since, job_ids=job_ids)
    with reading(Place(root_of(ctx), db, records), filters) as found:
        parts = parts_of(found.source.rows())
        outcomes = _shown(store_comments(parts, SacctAccounting(), options), as_json)
    tell(found.problems)
    if as_json:
        _print_json(outcomes, found.problems)
    else:
        _tell_sums(outcomes)
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


def _print_json(outcomes: Sequence[Outcome], problems: Sequence[str]) -> None:
    import json

    jobs = [outcome._asdict() for outcome in outcomes]
    click.echo(json.dumps({"version": 1, "jobs": jobs, "not_counted": list(problems)}, indent=2))


def _tell_sums(outcomes: Sequence[Outcome]) -> None:
    actions = [outcome.action for outcome in outcomes]
    counts = [f"{actions.count(action)} {action}" for action in dict.fromkeys(actions)]
    click.echo(f"{len(actions)} jobs: {', '.join(counts)}" if actions else "no records of jobs")
