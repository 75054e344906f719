"""How a reconfigure is told: while it runs, on a terminal; and when it has ended."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from slurm_mig.errors import SlurmMigError
from slurm_mig.reconfigure import loop
from slurm_mig.reconfigure.entry import NOTHING
from slurm_mig.reconfigure.loop import Ended
from slurm_mig.reconfigure.record import FORMER
from slurm_mig.reconfigure.world import Event

VERSION = 1
Watch = Callable[[Event], object]


@contextmanager
def shown() -> Iterator[Watch]:
    """What is to be told each event: a table on a terminal, gone when the block ends."""
    if not sys.stderr.isatty():
        yield _quiet
        return
    from rich.console import Console
    from rich.live import Live

    events: dict[tuple[str, str], Event] = {}
    # Without its thread: a worker is a fork of this process, and a fork takes no threads along.
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:

        def watch(event: Event) -> None:
            events[event.goal, event.phase] = event
            live.update(_table(list(events.values())), refresh=True)

        yield watch


def _quiet(_: Event) -> None:
    return None


def _table(events: list[Event]) -> Any:  # noqa: ANN401
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    for event in events:
        seconds = f"{event.seconds:8.1f} s" if event.state in ("ended", "failed") else "…"
        way = "back: " if event.goal == FORMER else ""
        table.add_row(f"{way}{event.phase}", seconds, event.text)
    return table


def tell(what: str, ended: Ended, *, as_json: bool, back: bool = False) -> int:
    """Print how it ended; its exit code. Raises SlurmMigError where it is not as was wanted.

    `back`: what was before is what was wanted.
    """
    good = ended.outcome in (NOTHING, loop.DONE) or (back and ended.outcome == loop.BACK)
    if as_json:
        click.echo(json.dumps(to_json(what, ended, good), indent=2))
    else:
        for line in _lines(what, ended):
            click.echo(line)
    for remark in dict.fromkeys(ended.remarks):
        click.echo(f"slurm-mig: warning: {remark}", err=True)
    if not good:
        _fail(what, ended)
    return 0


def to_json(what: str, ended: Ended, good: bool) -> dict[str, Any]:
    """`outcome`: "nothing", "done", "former" (it went back) or "drained" (it stays so)."""
    return {
        "version": VERSION,
        "config": what,
        "outcome": ended.outcome,
        "good": good,
        "problem": ended.problem,
        "next_step": ended.next_step,
        "seconds": round(sum(one.seconds for one in ended.took), 3),
        "phases": [
            {"phase": one.phase, "goal": one.goal, "seconds": round(one.seconds, 3)}
            for one in ended.took
        ],
        "remarks": list(dict.fromkeys(ended.remarks)),
    }


def _lines(what: str, ended: Ended) -> Iterator[str]:
    for one in ended.took:
        way = "back: " if one.goal == FORMER else ""
        yield f"{one.seconds:9.3f} s  {way}{one.phase}"
    seconds = sum(one.seconds for one in ended.took)
    waited = sum(one.seconds for one in ended.took if one.phase == "WAIT")
    words = {
        NOTHING: "nothing to do",
        loop.DONE: f"done in {seconds:.1f} s, of which it waited {waited:.1f} s for jobs",
        loop.BACK: f"as before, after {seconds:.1f} s",
        loop.STAYS: "stays drained",
    }
    yield f"{what}: {words[ended.outcome]}"


def _fail(what: str, ended: Ended) -> NoReturn:
    head = {
        loop.BACK: "not done, and the node is as before",
        loop.STAYS: "not at its end, and the node stays drained",
    }
    after = f": {ended.next_step}" if ended.next_step else ""
    raise SlurmMigError(f"{what}: {head[ended.outcome]}: {ended.problem}{after}")
