"""The ways in: a new run over many nodes, and one that is taken up again. One at a time."""

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from slurm_mig.errors import JournalError, Refused
from slurm_mig.gpu.change.nodelock import holder, only_one
from slurm_mig.reconfigure import record as records
from slurm_mig.reconfigure.fleet import files, waves
from slurm_mig.reconfigure.fleet.conduct import conduct
from slurm_mig.reconfigure.fleet.engine import Engine, FleetRun, FleetWorld
from slurm_mig.reconfigure.fleet.record import (
    ENDED,
    HELD,
    ORDERED,
    READY,
    NodeEntry,
    RunOptions,
    RunRecord,
    reopened,
)
from slurm_mig.system import epoch

EngineOf = Callable[[str], Engine]  # by the name that a record has of it
_AT_ONCE_S = 1.0


class Wish(NamedTuple):
    """What is wanted of many nodes; `label` and `text` as in RunRecord."""

    names: tuple[str, ...]
    label: str
    text: str
    rollback: bool
    options: RunOptions


def new(world: FleetWorld, wish: Wish) -> RunRecord:
    """The record of a new run, not on the disk. Raises NoSuchNode, which names all that are not."""
    states = world.client.nodes(wish.names)
    return RunRecord(
        run_id=records.new_id(),
        owner=records.new_id(),
        boot_id=epoch.boot_id(str(world.root)),
        host=socket.gethostname(),
        label=wish.label,
        text=wish.text,
        rollback=wish.rollback,
        options=wish.options,
        nodes=tuple(NodeEntry(name) for name in waves.order(states)),
        begun=time.time(),
    )


def start(world: FleetWorld, engine: Engine, record: RunRecord) -> FleetRun:
    """Conduct a new one. Raises SlurmMigError when nothing was changed; else as conduct()."""
    with only_one(world.root, _AT_ONCE_S, *files.LOCK):
        _must_be_free(world.root, record)
        files.begin(world.root, record)
        run = FleetRun(world, record)
        conduct(run, engine)
    return run


def resume(
    world: FleetWorld, engine_of: EngineOf, run_id: str | None, other: Mapping[str, Any]
) -> FleetRun:
    """Take one up again, the last one where none is named, with `other` options of RunOptions."""
    with only_one(world.root, _AT_ONCE_S, *files.LOCK):
        found = files.take_over(world.root, named(world.root, run_id))
        run = FleetRun(world, reopened(found))
        run.note(options=found.options._replace(**other))
        conduct(run, engine_of(found.options.engine))
    return run


def named(root: Path, run_id: str | None) -> RunRecord:
    """A run by its id, or the last one. Raises Refused where there is none."""
    found = files.read(root, run_id) if run_id else next(iter(files.runs(root)), None)
    if found is None:
        what = f"no run {run_id} over many nodes" if run_id else "no run over many nodes"
        raise Refused("nothing was changed", [f"{what} was begun on this machine"])
    return found


def in_progress(root: Path) -> bool:
    """Whether a run is being conducted on this machine now."""
    return holder(root, files.LOCK[0]) is not None


def _must_be_free(root: Path, record: RunRecord) -> None:
    """Raises JournalError where a node is in the middle of another run.

    What goes back may take its nodes: then that one is over.
    """
    names = {one.name for one in record.nodes}
    for other in files.runs(root):
        open_ = [
            one for one in other.nodes if one.stage in (ORDERED, READY, HELD) and one.name in names
        ]
        if not open_:
            continue
        if not record.rollback:
            raise JournalError(_at_it(other, open_))
        given = (one._replace(stage=ENDED, outcome="former", problem=_BACK) for one in open_)
        ours = files.take_over(root, other)
        files.write(root, ours.having(*given)._replace(ended=True))


_BACK = "rolled back by a later run"


def _at_it(other: RunRecord, open_: Sequence[NodeEntry]) -> str:
    names = ", ".join(one.name for one in open_[:4]) + (" ..." if len(open_) > 4 else "")
    return (
        f"run {other.run_id} to {other.what} is not at its end ({names}): run "
        f"`slurm-mig reconfigure --resume --run {other.run_id}`, or give --rollback"
    )
