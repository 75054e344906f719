"""`slurm-mig usage job`: what one job had, what it used of that, and what would have done."""

import re
from datetime import datetime
from pathlib import Path

import click

from slurm_mig.cli.common import root_of, root_option
from slurm_mig.cli.usage.reading import Place, place_options, reading, tell
from slurm_mig.cli.usage.showing import Form, form_options, show
from slurm_mig.errors import SlurmMigError


class JobId(click.ParamType[int]):
    """Slurm's own number of a job. Python's int() would take 4242_7 for 42427."""

    name = "job"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        if re.fullmatch(r"[1-9][0-9]{0,17}", value) is None:
            self.fail(f"{value!r} is no job's number; of an array's task: sacct -o JobIDRaw -j JOB")
        return int(value)


@click.command("job")
@click.argument("job_id", type=JobId(), metavar="JOB")
@form_options
@place_options
@root_option
@click.pass_context
def command(
    ctx: click.Context,
    job_id: int,
    as_json: bool,
    as_csv: bool,
    html: Path | None,
    db: str | None,
    records: tuple[Path, ...],
) -> None:
    """Show what a job had, what it used of that, and what would have done.

    JOB is Slurm's own number of the job: of a task of an array, what `sacct -o JobIDRaw` says.
    A job of several nodes, or one that was requeued, is shown with all of them. The record of
    a job is there once it has ended, and its figures are those that `slurm-mig monitor`
    sampled; what it did not see is not known, and said to be so.

    \b
      slurm-mig usage job 4242
      slurm-mig usage job 4242 --html job4242.html
    """
    from slurm_mig.usage.report.as_csv import jobs_csv
    from slurm_mig.usage.report.as_json import jobs_json
    from slurm_mig.usage.report.job import jobs
    from slurm_mig.usage.report.job_page import job_page
    from slurm_mig.usage.store.asking import Filters

    zone = datetime.now().astimezone().tzinfo
    with reading(Place(root_of(ctx), db, records), Filters(job_ids=(job_id,))) as found:
        known = jobs(found.source.rows(), found.source.curves())
    tell(found.problems)
    if not known or zone is None:
        raise SlurmMigError(
            f"{found.name}: no record of job {job_id}: it has not ended, had no GPU, ran on other"
            " nodes (run `slurm-mig usage collect`), or another user's"
        )
    show(
        Form(as_json, as_csv, html),
        [job_page(one, zone) for one in known],
        lambda: jobs_json(job_id, known, found.problems),
        lambda: jobs_csv(known),
        f"From {found.name}.",
    )
