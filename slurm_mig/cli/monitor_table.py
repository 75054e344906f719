"""A monitor's snapshot as a table for people."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from slurm_mig.usage.monitor.snapshot import SliceNow, Snapshot

_UNBROKEN = 10_000  # columns: a file or a pipe gets whole lines, whatever COLUMNS says
_COLUMNS = ("job", "user", "slice", "profile", "MiB", "of", "processes", "SM", "DRAM", "errors")
_TEXTS = ("user", "slice", "profile", "errors")
_UNKNOWN = "?"


def show(snapshot: Snapshot, console: Console | None = None) -> None:
    """Print it to standard output; what is not known is a question mark."""
    console = console or _console()
    if not snapshot.slices:
        console.print("no job holds a slice", highlight=False)
        return
    users = {job.job_id: job.user for job in snapshot.jobs}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in _COLUMNS:
        table.add_column(title, justify="left" if title in _TEXTS else "right", no_wrap=True)
    for one in snapshot.slices:
        table.add_row(*_row(one, users.get(one.job_id)))
    with console.capture() as drawn:
        console.print(table, highlight=False)
    console.file.writelines(f"{line.rstrip(' ')}\n" for line in drawn.get().splitlines())
    for gpu in snapshot.gpus:
        watts = _UNKNOWN if gpu.power_w is None else f"{gpu.power_w:.0f}"
        console.print(f"gpu{gpu.gpu_minor}: {watts} W, all of it", highlight=False)


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=_UNBROKEN)


def _row(one: SliceNow, user: str | None) -> tuple[str, ...]:
    memory = _UNKNOWN if one.memory_mib is None else f"{one.memory_mib:.0f}"
    total = _UNKNOWN if one.memory_total_mib is None else str(one.memory_total_mib)
    count = _UNKNOWN if one.processes is None else str(len(one.processes))
    activity = one.activity
    return (
        str(one.job_id),
        escape(user or _UNKNOWN),
        one.name,
        escape(one.profile or "whole GPU"),
        memory,
        total,
        count,
        _percent(activity.sm if activity else None),
        _percent(activity.dram_bandwidth if activity else None),
        _errors(one),
    )


def _percent(ratio: float | None) -> str:
    return _UNKNOWN if ratio is None else f"{100 * ratio:.0f}%"


def _errors(one: SliceNow) -> str:
    told = [f"Xid {xid} x{count}" for xid, count, _ in one.xids]
    return ", ".join([*told, *(["gone"] if one.gone else [])]) or "-"
