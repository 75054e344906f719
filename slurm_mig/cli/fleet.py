"""`slurm-mig reconfigure NODES`: plan, run, watch and take up again a run over many nodes."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click

from slurm_mig.cli import fleet_table
from slurm_mig.cli.applied import interruptible
from slurm_mig.errors import SlurmMigError, UsageError
from slurm_mig.reconfigure.fleet import entry, site, status, waves
from slurm_mig.reconfigure.fleet.engine import FleetEvent, FleetRun
from slurm_mig.reconfigure.fleet.entry import Wish
from slurm_mig.reconfigure.fleet.record import RunOptions
from slurm_mig.slurm.records.fold import expand


class Chosen(NamedTuple):
    """What the command line says of a run; None: nothing."""

    max_unavailable: str | None
    max_failures: int | None
    timeout_s: float | None
    cancel_after_s: float | None
    smoke: bool | None = None


def names_in(nodes: str) -> tuple[str, ...]:
    """The nodes of a node set, each once. Raises UsageError."""
    try:
        found = tuple(dict.fromkeys(expand(nodes)))
    except ValueError as why:
        raise UsageError(f"{why}: write it as Slurm does, such as gpu[01-64]") from None
    if not all(found):
        raise UsageError(f"not a host list: {nodes!a}: write it as Slurm does, such as gpu[01-64]")
    return found


def is_here(root: Path, names: Sequence[str]) -> bool:
    """Whether these nodes are this machine alone."""
    return len(names) == 1 and site.is_here(site.fleet_world(root, _quiet), names[0])


def plan(root: Path, wish: Wish, *, as_json: bool) -> int:
    """Show what a run would do."""
    from slurm_mig.cli.fleet_plan import show

    world = site.fleet_world(root, _quiet)
    record = entry.new(world, wish)
    engine = site.engine_of(world)(wish.options.engine)
    show(world, record, engine.look(record, [one.name for one in record.nodes]), as_json=as_json)
    return 0


def start(root: Path, wish: Wish, *, as_json: bool) -> int:
    """Conduct a new run."""
    with interruptible(root), _going_on(), fleet_table.shown() as tell:
        world = site.fleet_world(root, tell)
        engine = site.engine_of(world)(wish.options.engine)
        run = entry.start(world, engine, entry.new(world, wish))
    return _tell(run, as_json=as_json)


def resume(root: Path, run_id: str | None, chosen: Chosen, *, as_json: bool) -> int:
    """Take a run up again."""
    found = entry.named(root, run_id)
    other = {key: value for key, value in chosen._asdict().items() if value is not None}
    if chosen.max_unavailable is not None:
        other["max_unavailable"] = waves.size_of(chosen.max_unavailable, len(found.nodes))
    with interruptible(root), _going_on(), fleet_table.shown() as tell:
        world = site.fleet_world(root, tell)
        run = entry.resume(world, site.engine_of(world), run_id, other)
    return _tell(run, as_json=as_json)


def show_status(root: Path, run_id: str | None, *, as_json: bool) -> int:
    """Show how a run is."""
    record, going_on = entry.named(root, run_id), entry.in_progress(root)
    if as_json:
        click.echo(json.dumps(status.to_json(record, in_progress=going_on), indent=2))
    else:
        fleet_table.show_status(record, in_progress=going_on)
    return 0


def options_of(root: Path, chosen: Chosen, count: int, engine: str) -> RunOptions:
    """Those of a new run."""
    return RunOptions(
        engine=engine,
        max_unavailable=waves.size_of(chosen.max_unavailable or "1", count),
        max_failures=chosen.max_failures or 1,
        timeout_s=site.wait_of(root, chosen.timeout_s),
        cancel_after_s=chosen.cancel_after_s,
        smoke=chosen.smoke,
    )


@contextmanager
def _going_on() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as why:
        why.add_note(
            "no node is ordered any more; those that are at it go on until Slurm is to be told: "
            "`slurm-mig reconfigure --status` shows them, `slurm-mig reconfigure --resume` goes on"
        )
        raise


def _tell(run: FleetRun, *, as_json: bool) -> int:
    """Print how it ended. Raises SlurmMigError where it is not as was wanted."""
    record = run.record
    if as_json:
        found = status.to_json(record, in_progress=False)
        click.echo(json.dumps({**found, "remarks": list(dict.fromkeys(run.remarks))}, indent=2))
    else:
        fleet_table.show_summary(record)
    for remark in dict.fromkeys(run.remarks):
        click.echo(f"slurm-mig: warning: {remark}", err=True)
    if not record.done:
        told = "\n  ".join(filter(None, [record.problem, *status.told(record)]))
        raise SlurmMigError(f"run {record.run_id} to {record.what}: {told}")
    return 0


def _quiet(_: FleetEvent) -> None:
    return None
