"""A run over many nodes as tables: while it goes on, how it is, and how it ended."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from slurm_mig.reconfigure.fleet import status
from slurm_mig.reconfigure.fleet.engine import FleetEvent
from slurm_mig.reconfigure.fleet.record import ENDED, WAITING, NodeEntry, RunRecord
from slurm_mig.reconfigure.record import FORMER, PHASES

Tell = Callable[[FleetEvent], object]
_WIDEST = 60
_SHOWN_S = 0.05


@contextmanager
def shown() -> Iterator[Tell]:
    """What is to be told each event: a table of the nodes on a terminal, gone when it ends."""
    if not sys.stderr.isatty():
        yield _quiet
        return
    from rich.console import Console
    from rich.live import Live

    events: dict[str, FleetEvent] = {}
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:

        def tell(event: FleetEvent) -> None:
            events[event.node] = event
            live.update(_live(list(events.values())), refresh=True)

        yield tell


def _quiet(_: FleetEvent) -> None:
    return None


def _live(events: list[FleetEvent]) -> Any:  # noqa: ANN401
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("node", "wave", "phase", ""):
        table.add_column(column)
    last = max(event.wave for event in events)
    for event in events:
        if event.wave == last:  # earlier waves are over
            back = "back: " if event.goal == FORMER else ""
            text = event.text or ("" if event.state == "begins" else event.state)
            name = event.node or "(the wave)"
            table.add_row(name, str(event.wave), f"{back}{event.phase}", escape(text[:_WIDEST]))
    return table


def show_status(record: RunRecord, *, in_progress: bool) -> None:
    """Print how it is."""
    state = status.state_of(record, in_progress=in_progress)
    click.echo(f"run {record.run_id} to {record.what}, begun on {record.host}: {state}")
    if record.problem:
        click.echo(f"no further wave: {record.problem}")
    _rows(record)
    if state in ("interrupted", "stopped"):
        click.echo(f"to go on: `slurm-mig reconfigure --resume --run {record.run_id}`")


def show_summary(record: RunRecord) -> None:
    """Print how it ended."""
    _rows(record)
    for took in record.took:
        click.echo(f"{took.seconds:9.3f} s  {took.what} of wave {took.wave}")
    counts = ", ".join(f"{number} {what}" for what, number in status.counts(record).items())
    click.echo(f"run {record.run_id} to {record.what}: {counts}")


def _rows(record: RunRecord) -> None:
    """One line a node; of those that wait only how many they are."""
    width = max(len(one.name) for one in record.nodes)
    for one in record.nodes:
        if one.stage != WAITING:
            wave = f"wave {one.wave}"
            click.echo(
                f"{one.name:<{width}}  {wave:<8}  {status.now(one):<9}  {_more(one)}".rstrip()
            )
    if left := sum(one.stage == WAITING for one in record.nodes):
        click.echo(f"{left} node{'s' * (left != 1)} not begun")


def _more(one: NodeEntry) -> str:
    if one.stage != ENDED:
        return " ".join(filter(None, [one.phase, one.problem]))
    seconds = dict.fromkeys(PHASES, 0.0)  # in their order
    for took in one.took:
        seconds[took.phase] = seconds.get(took.phase, 0.0) + took.seconds
    phases = ", ".join(f"{name} {each:.1f}" for name, each in seconds.items() if each >= _SHOWN_S)
    return " ".join(filter(None, [f"{phases} s" if phases else "", one.problem[:_WIDEST]]))
