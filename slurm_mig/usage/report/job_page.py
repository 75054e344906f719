"""The page of one job: what it had, what it used of that, and what would have done."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, tzinfo

from slurm_mig.usage.report import sizing
from slurm_mig.usage.report.figures import was_sampled
from slurm_mig.usage.report.job import JobUsage, Run, Used
from slurm_mig.usage.report.models import memory_of
from slurm_mig.usage.report.over_time import time_plot
from slurm_mig.usage.report.page import Bar, Page, Plot, Section, TimePlot
from slurm_mig.usage.report.slice_words import doubts, hint, sampling
from slurm_mig.usage.report.words import (
    UNKNOWN,
    count,
    duration,
    energy,
    number,
    percent,
    text,
    when,
)
from slurm_mig.usage.report.words import memory_of as of_memory
from slurm_mig.usage.store.nouns import Job, Slice

_ACTIVITIES = (
    ("SMs busy", "sm"),
    ("any engine busy", "graphics"),
    ("tensor cores busy", "tensor"),
    ("memory bandwidth", "dram_bandwidth"),
)


def job_page(usage: JobUsage, zone: tzinfo) -> Page:
    """The page; its times are those of `zone`."""
    job = usage.last[0].job
    who = f"user {text(job.user)}" + ("" if job.uid is None else f" (uid {job.uid})")
    lines = (
        f"{who}, account {text(job.account)}, partition {text(job.partition)},"
        f" cluster {text(job.cluster)}",
        f"had {had(usage)} for {duration(_longest(usage))}: {ending(usage.last)}",
        *_told(usage, zone),
    )
    sections = (part for run in usage.runs for part in _run(run, usage, zone))
    return Page(f"Job {usage.job_id}", lines, tuple(sections), tuple(_notes(usage)))


def had(usage: JobUsage) -> str:
    """What it had at its last start: 2 x 3g.40gb, 1 x whole GPU on n1, n2."""
    kinds = Counter(kind(used.slice) for run in usage.last for used in run.slices)
    nodes = dict.fromkeys(text(run.job.node) for run in usage.last)
    slices = ", ".join(f"{number} x {name}" for name, number in kinds.items())
    return f"{slices} on {', '.join(nodes)}"


def kind(one: Slice) -> str:
    """A slice's profile."""
    return "whole GPU" if one.profile is None else text(one.profile)


def ending(runs: tuple[Run, ...]) -> str:
    """How a job ended, where its nodes tell the same; else all of it."""
    return "; ".join(dict.fromkeys(_ending(run.job) for run in runs))


def _ending(job: Job) -> str:
    if job.signal:
        return f"ended by signal {job.signal}"
    if job.exit_code is not None:
        return f"ended with exit code {job.exit_code}"
    return f"how it ended is not known ({text(job.exit_unknown_why)})"


def _longest(usage: JobUsage) -> float | None:
    known = [run.job.duration_s for run in usage.last if run.job.duration_s is not None]
    return max(known, default=None)


def _told(usage: JobUsage, zone: tzinfo) -> Iterator[str]:
    if len(usage.starts) > 1:
        yield f"it was started {len(usage.starts)} times: every start is shown, the last one above"
    if any(run.job.complete is False for run in usage.runs):
        yield "slices of other types, if it had any, are not shown: Slurm did not tell of them"
    yield f"times are {_zone_name(usage, zone)}"


def _zone_name(usage: JobUsage, zone: tzinfo) -> str:
    """The zone's name at the job's time."""
    ends = [run.job.end for run in usage.runs if run.job.end is not None]
    try:
        return datetime.fromtimestamp(ends[0] if ends else 0, zone).tzname() or UNKNOWN
    except (OverflowError, ValueError, OSError):
        return UNKNOWN


def _run(run: Run, usage: JobUsage, zone: tzinfo) -> Iterator[Section]:
    job = run.job
    start = f"start {(job.restarts or 0) + 1}, " if len(usage.starts) > 1 else ""
    span = f"{when(job.start, zone)} to {when(job.end, zone)}"
    for used in run.slices:
        one = used.slice
        gpu = "" if one.gpu_minor is None else f" on GPU {one.gpu_minor}"
        where = f"{kind(one)}{gpu} ({text(one.gpu_name)}) of {text(job.node)}"
        yield Section(
            f"{where}, {start}{span}",
            _plot(one, where),
            lines=tuple(_lines(used, job)),
            over_time=_time_plot(used, job, where),
        )


def _plot(one: Slice, where: str) -> Plot | None:
    """What was measured as a ratio of the slice; None where nothing was."""
    bars = [*_memory_bars(one), *_activity_bars(one)]
    return Plot(f"What was used of {where}", "used", tuple(bars), in_text=True) if bars else None


def _time_plot(used: Used, job: Job, where: str) -> TimePlot | None:
    if used.curve is None:
        return None
    return time_plot(used.curve, memory_of(used.slice), job.duration_s, where)


def _memory_bars(one: Slice) -> Iterator[Bar]:
    size = memory_of(one)
    for name, used in (("peak", one.memory_peak_mib), ("mean", one.memory_mean_mib)):
        if used is not None:
            ratio = used / size if size else None
            share = "" if ratio is None else f" ({percent(ratio)})"
            yield Bar(f"memory, {name}", ratio, of_memory(used, size) + share)


def _activity_bars(one: Slice) -> Iterator[Bar]:
    for label, name in _ACTIVITIES:
        mean, most = getattr(one, f"{name}_mean"), getattr(one, f"{name}_max")
        if mean is not None:
            yield Bar(label, mean, f"{percent(mean)} on average, {percent(most)} at most")


def _lines(used: Used, job: Job) -> Iterator[str]:
    one = used.slice
    if not was_sampled(one):
        yield "nothing was sampled (`slurm-mig monitor` does that): what it used is not known"
    else:
        yield from _sampled_lines(one)
    if one.repartitioned:
        yield "the slice was changed, or gone, when the job ended"
    if one.xids:
        yield f"the GPU told {count(one.xids, 'error (Xid)', 'errors (Xid)')}"
    if used.idle is not None:
        yield f"idle: {used.idle.kind} for most of the time that was sampled"
    yield hint(used.slice, used.advice)


def _sampled_lines(one: Slice) -> Iterator[str]:
    if one.processes_mean is not None:
        most = number(one.processes_peak)
        yield f"processes: {number(one.processes_mean)} on average, {most} at most"
    if one.graphics_mean is None and one.sm_mean is None:
        yield "activity: not known (GPUs tell it of a slice from Hopper on)"
    elif one.activity_shared_gi is not False:
        yield "activity is that of the GPU instance, which others may have shared"
    if one.energy_joules is not None:
        yield _energy(one.energy_joules, one.energy_share)
    yield sampling(one)


def _energy(joules: float, share: float | None) -> str:
    if share == 1.0:
        return f"energy: {energy(joules)}, all of its GPU's"
    return f"energy: about {energy(joules)}, its share of its GPU's: an estimate"


def _notes(usage: JobUsage) -> Iterator[str]:
    all_used = [used for run in usage.runs for used in run.slices]
    if any(used.advice.verdict in ("smaller", "fits") for used in all_used):
        yield f"Would have done: {sizing.RULE}."
    if any(was_sampled(used.slice) for used in all_used):
        yield (
            "Memory holds what the driver keeps on a slice that nobody uses. A peak between two"
            " samples is not seen."
        )
    if any(doubts(used.advice) for used in all_used):
        yield f"{sizing.DOUBT[0].upper()}{sizing.DOUBT[1:]}."
