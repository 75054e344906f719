"""What a reconfigure would do, for a person and as JSON."""

import json
from collections.abc import Iterator
from typing import Any

import click

from slurm_mig.cli.plan_table import show as show_plans
from slurm_mig.gpu.planning.occupied import Occupied
from slurm_mig.gpu.planning.plan import to_json as plans_json
from slurm_mig.reconfigure.begin import Prospect
from slurm_mig.reconfigure.waiting import job_json, told_one

VERSION = 1
_WAYS = {
    "reconfigure": "slurm.conf and `scontrol reconfigure`",
    "restart": "slurm.conf and a restart of slurmctld",
    "dynamic": "`scontrol delete` and `slurmd -Z --conf`",
}


def show(name: str, what: str, prospect: Prospect, *, as_json: bool) -> None:
    """Print it."""
    if as_json:
        click.echo(json.dumps(to_json(name, what, prospect), indent=2))
        return
    show_plans(f"{name}, {what}", prospect.plans, prospect.others, Occupied())
    for line in _lines(name, prospect):
        click.echo(line)


def to_json(name: str, what: str, prospect: Prospect) -> dict[str, Any]:
    """`jobs` would be waited for; `stranded` are pending ones that could run nowhere then."""
    return {
        "version": VERSION,
        "node": name,
        "config": what,
        "changes": not prospect.nothing,
        "gpus": plans_json(prospect.plans)["gpus"],
        "left_alone": [gpu.info.gpu_index for gpu in prospect.others],
        "way": prospect.notes.get("way"),
        "jobs": [job_json(job) for job in prospect.jobs],
        "stranded": [lost._asdict() for lost in prospect.stranded],
    }


def _lines(name: str, prospect: Prospect) -> Iterator[str]:
    yield ""
    if prospect.nothing:
        yield f"{name}: nothing to do: Slurm has what is there"
        return
    if prospect.node.drains:
        yield f"drained already: {prospect.node.reason or 'without a reason'}"
    if not prospect.jobs:
        yield "waits for no job"
    for job in prospect.jobs:
        yield f"waits for {told_one(job)}"
    for lost in prospect.stranded:
        yield f"strands job {lost.job} of {lost.user}, which waits for {lost.gres}: {lost.why}"
    yield f"told to Slurm by: {_WAYS.get(prospect.notes.get('way', ''), 'its way')}"
