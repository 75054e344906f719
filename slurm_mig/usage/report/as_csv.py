"""Rows for a spreadsheet, with a line of headings. Empty: not known."""

import csv
import io
from collections.abc import Iterable

from slurm_mig.usage.report.job import JobUsage
from slurm_mig.usage.report.overview import Overview
from slurm_mig.usage.store.asking import Total
from slurm_mig.usage.store.nouns import Job, Slice

# A spreadsheet would run a text that begins so; names are other people's.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def overview_csv(found: Overview) -> str:
    """A line for each group."""
    names = [name for name in Total._fields if name != "key"]
    rows = ([one.key[0], *(getattr(one, name) for name in names)] for one in found.groups)
    return _written([found.by, *names], rows)


def jobs_csv(jobs: Iterable[JobUsage]) -> str:
    """A line for each slice that the jobs had, the advice on it at its end."""
    rows = (
        [*run.job, *used.slice, used.advice.verdict, used.advice.profile, bool(used.advice.doubts)]
        for usage in jobs
        for run in usage.runs
        for used in run.slices
    )
    advice = ["advice", "would_have_done", "uncertain"]
    return _written([*Job._fields, *Slice._fields, *advice], rows)


def _written(names: list[str], rows: Iterable[Iterable[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
