"""The page of an overview: hours, use, right-sizing, and who held slices idle."""

from collections.abc import Iterator, Sequence
from datetime import tzinfo

from slurm_mig.usage.report import idle, sizing
from slurm_mig.usage.report.job_page import kind
from slurm_mig.usage.report.models import memory_of
from slurm_mig.usage.report.overview import Holder, Overview
from slurm_mig.usage.report.page import Bar, Column, Page, Plot, Section, Table
from slurm_mig.usage.report.words import (
    UNKNOWN,
    count,
    duration,
    energy,
    hours,
    number,
    percent,
    text,
    when,
)
from slurm_mig.usage.report.words import memory_of as of_memory
from slurm_mig.usage.store.asking import Sizing, Total

MOST_BARS = 20
_NUMBERS = (
    "jobs", "slices", "hours", "sampled h", "mean memory", "peak", "SMs busy", "idle h", "energy",
)  # fmt: skip
_NOTHING = (
    "There is no record of a job in that time. Records are written when jobs end, and gathered by"
    " `slurm-mig usage collect`."
)
_SAYS = {
    "smaller": "would have done",
    "fits": "nothing smaller would have done",
    "full": "memory nearly full",
    "unknown": "not known",
}


def overview_page(found: Overview, span: str, zone: tzinfo) -> Page:
    """The page; `span` says of which time and of whom it is, times are those of `zone`."""
    title = f"GPU slices by {found.by}, {span}"
    if found.total is None:
        return Page(title, (_NOTHING,), ())
    total = found.total
    lines = (
        f"{count(total.jobs, 'job')} held {count(total.slices, 'slice')} for"
        f" {hours(total.slice_hours)} hours in all; {hours(total.sampled_hours)} of these hours"
        " were sampled",
        *_unknown_hours(total),
    )
    sections = (_groups(found), _days(found), _memory(found), _sizing(found), _idle(found, zone))
    return Page(title, lines, tuple(one for one in sections if one is not None), _notes(found))


def _unknown_hours(total: Total) -> Iterator[str]:
    if total.hours_unknown:
        slices = count(total.hours_unknown, "slice")
        yield f"held for a time that is not known: {slices}, in no sum of hours"


def key_of(total: Total, by: str) -> str:
    """What a group is called."""
    found = total.key[0]
    return "whole GPU" if found is None and by == "profile" else text(found)


def _groups(found: Overview) -> Section:
    columns = (Column(found.by), *(Column(title, True) for title in _NUMBERS))
    rows = [(key_of(one, found.by), *_cells(one)) for one in found.groups]
    if len(rows) > 1 and found.total is not None:
        rows.append(("all", *_cells(found.total)))
    table = Table(
        f"Hours of slices, and what was used of them, by {found.by}", columns, tuple(rows)
    )
    return Section(f"By {found.by}", _hours_plot(found.groups, found.by), table)


def _cells(total: Total) -> tuple[str, ...]:
    busy = total.graphics_mean if total.sm_mean is None else total.sm_mean
    return (
        str(total.jobs),
        str(total.slices),
        hours(total.slice_hours),
        hours(total.sampled_hours),
        percent(total.memory_mean_share),
        percent(total.memory_peak_share),
        percent(busy),
        hours(total.idle_hours),
        energy(total.energy_joules),
    )


def _hours_plot(groups: Sequence[Total], by: str) -> Plot:
    shown = groups[:MOST_BARS]
    most = max((one.slice_hours for one in shown), default=0.0) or 1.0
    bars = (Bar(key_of(one, by), one.slice_hours / most, hours(one.slice_hours)) for one in shown)
    more = "" if len(shown) == len(groups) else f", the {len(shown)} with the most"
    return Plot(f"Slice hours by {by}{more}", "slice hours", tuple(bars))


def _days(found: Overview) -> Section | None:
    days = [day for day in found.days if day.key[0] is not None]
    if len(days) < 2:
        return None
    most = max(day.slice_hours for day in days) or 1.0
    bars = (Bar(text(day.key[0]), day.slice_hours / most, hours(day.slice_hours)) for day in days)
    plot = Plot(
        "Slice hours by the day (UTC) on which jobs ended", "slice hours", tuple(bars), True
    )
    return Section("By day", plot)


def _memory(found: Overview) -> Section | None:
    shown = [one for one in found.groups[:MOST_BARS] if one.memory_mean_share is not None]
    if not shown:
        return None
    bars = (
        Bar(key_of(one, found.by), one.memory_mean_share, percent(one.memory_mean_share))
        for one in shown
    )
    title = f"Mean memory in use, of what was held, by {found.by}"
    return Section("Memory", Plot(title, "memory in use", tuple(bars)))


def _sizing(found: Overview) -> Section:
    columns = (
        Column("GPU"),
        Column("had"),
        Column("advice"),
        Column("slices", True),
        Column("hours", True),
        Column("uncertain", True),
        Column("by memory only", True),
        Column("sampled every", True),
    )
    rows = tuple(_sizing_cells(one) for one in found.sizing)
    return Section(
        "Right sizes", None, Table("Which smaller slices would have done", columns, rows)
    )


def _sizing_cells(one: Sizing) -> tuple[str, ...]:
    says = _SAYS[one.verdict]
    known = one.verdict != "unknown"
    return (
        text(one.gpu_name),
        "whole GPU" if one.profile is None else text(one.profile),
        f"{text(one.would_do)} {says}" if one.would_do else says,
        str(one.slices),
        hours(one.slice_hours),
        str(one.uncertain) if known else UNKNOWN,
        str(one.by_memory_only) if known else UNKNOWN,
        duration(one.period_s),
    )


def _idle(found: Overview, zone: tzinfo) -> Section:
    if not found.holders:
        return Section("Held idle", lines=("no slice, as far as was sampled",))
    columns = (
        Column("job", True),
        Column("user"),
        Column("node"),
        Column("slice"),
        Column("ended"),
        Column("held for", True),
        Column("processes", True),
        Column("SMs busy", True),
        Column("peak memory", True),
    )
    rows = tuple(_holder_cells(one, zone) for one in found.holders)
    more = found.idle_count - len(rows)
    lines = (f"and {count(more, 'slice')} that were held less long",) if more else ()
    return Section("Held idle", None, Table("Slices held and hardly used", columns, rows), lines)


def _holder_cells(holder: Holder, zone: tzinfo) -> tuple[str, ...]:
    job, one = holder.row
    return (
        str(job.job_id),
        text(job.user),
        text(job.node),
        kind(one),
        when(job.end, zone),
        duration(job.duration_s),
        number(holder.idle.mean_processes),
        percent(holder.idle.mean_activity),
        of_memory(one.memory_peak_mib, memory_of(one)),
    )


def _notes(found: Overview) -> tuple[str, ...]:
    known = any(one.verdict in ("smaller", "fits") for one in found.sizing)
    return (
        "A job belongs to the moment at which it ended. sampled h: the hours in which anybody"
        " looked; all use is of those. ?: not known.",
        "mean memory, peak: of the slice's own. SMs busy: where GPUs tell it (Hopper and later)."
        " idle h: hours without a process of the job, at least. Energy is an estimate, from each"
        " slice's share of its GPU.",
        *((f"Would have done: {sizing.RULE}.", f"{sizing.DOUBT.capitalize()}.") if known else ()),
        *((f"{idle.RULE[0].upper()}{idle.RULE[1:]}.",) if found.holders else ()),
    )
