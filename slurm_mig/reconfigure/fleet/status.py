"""How a run is, or has ended: as JSON (a contract), and in words. Pure."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from slurm_mig.reconfigure.fleet.record import ENDED, WAITING, NodeEntry, RunRecord

VERSION = 1


def state_of(record: RunRecord, *, in_progress: bool) -> str:
    """ "in progress", "interrupted", "stopped" (nodes failed, or are left), or "done"."""
    if in_progress and not record.ended:
        return "in progress"
    if record.done:
        return "done"
    return "stopped" if record.ended else "interrupted"


def to_json(record: RunRecord, *, in_progress: bool) -> dict[str, Any]:
    """The object that `--status --json` and the end of a run print."""
    return {
        "version": VERSION,
        "run": record.run_id,
        "host": record.host,
        "config": record.label,
        "rollback": record.rollback,
        "engine": record.options.engine,
        "max_unavailable": record.options.max_unavailable,
        "max_failures": record.options.max_failures,
        "begun": record.begun,
        "state": state_of(record, in_progress=in_progress),
        "good": record.done,
        "problem": record.problem,
        "counts": counts(record),
        "nodes": [_node(one) for one in record.nodes],
        "waves": [one._replace(seconds=round(one.seconds, 3))._asdict() for one in record.took],
    }


def counts(record: RunRecord) -> dict[str, int]:
    """How many nodes are how: by outcome, or by stage before their end."""
    return dict(Counter(now(one) for one in record.nodes))


def now(one: NodeEntry) -> str:
    """How a node is, in one word."""
    return one.outcome if one.stage == ENDED else one.stage


def told(record: RunRecord) -> Iterator[str]:
    """What went wrong, a line each, for people."""
    for one in record.nodes:
        if one.failed:
            after = f": {one.next_step}" if one.next_step else ""
            yield f"{one.name}: {_HEADS.get(one.outcome, one.outcome)}: {one.problem}{after}"


_HEADS = {
    "former": "not done, and the node is as before",
    "drained": "not at its end, and the node stays drained",
    "refused": "nothing was changed there",
    "lost": "not reached any more, and the node stays drained",
    "unreached": "not reached; nothing was changed there",
}


def _node(one: NodeEntry) -> dict[str, Any]:
    return {
        "node": one.name,
        "wave": one.wave,
        "state": now(one),
        "goal": one.goal,
        "phase": "" if one.stage in (ENDED, WAITING) else one.phase,
        "attempt": one.attempt,
        "problem": one.problem,
        "next_step": one.next_step,
        "phases": [
            {"phase": took.phase, "goal": took.goal, "seconds": round(took.seconds, 3)}
            for took in one.took
        ],
    }
