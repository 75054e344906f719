"""Many nodes: wave by wave, until all are at their end, or too many have failed."""

from collections.abc import Sequence

from slurm_mig.reconfigure.fleet import waves
from slurm_mig.reconfigure.fleet.engine import Engine, FleetRun
from slurm_mig.reconfigure.fleet.record import ORDERED, RunRecord


def conduct(run: FleetRun, engine: Engine) -> RunRecord:
    """Bring the run to its end; entered again, it goes on. The record is ours.

    Raises JournalError, and KeyboardInterrupt; the record is then as far as it came.
    """
    if cut_short := waves.begun(run.record):
        engine.carry(run, cut_short)
    while wave := waves.following(run.record):
        _begin(run, wave)
        engine.carry(run, wave)
    run.note(ended=True, problem=run.record.problem or waves.why_none(run.record))
    return run.record


def _begin(run: FleetRun, wave: Sequence[str]) -> None:
    """On the disk before the first node of it is told anything."""
    number = waves.numbered(run.record.nodes)
    entries = (run.record.node(name) for name in wave)
    run.note(*(entry._replace(stage=ORDERED, wave=number) for entry in entries))
