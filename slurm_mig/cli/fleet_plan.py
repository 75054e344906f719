"""What a run over many nodes would do, for a person and as JSON."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from slurm_mig.errors import Refused
from slurm_mig.reconfigure.begin import stranded_by
from slurm_mig.reconfigure.fleet import waves
from slurm_mig.reconfigure.fleet.engine import FleetWorld, Look
from slurm_mig.reconfigure.fleet.estimate import ASSUMES, Estimate, estimate
from slurm_mig.reconfigure.fleet.record import RunRecord
from slurm_mig.reconfigure.world import Types
from slurm_mig.slurm.demand import Stranded

VERSION = 1
_MANY = 1 << 16


def show(world: FleetWorld, record: RunRecord, looks: Sequence[Look], *, as_json: bool) -> None:
    """Print it. Raises Refused where a node could not be looked at, or would refuse."""
    by_name = {look.node: look for look in looks}
    size = record.options.max_unavailable
    made = list(waves.planned([one.name for one in record.nodes], size))
    costs = estimate(made, by_name, time.time())
    lost = _stranded(world, by_name)
    if as_json:
        click.echo(json.dumps(to_json(record, made, by_name, costs, lost), indent=2))
    else:
        for line in _lines(record, made, by_name, costs, lost):
            click.echo(line)
    if problems := [f"{look.node}: {look.problem}" for look in looks if look.problem]:
        raise Refused("not every node could do this", problems)


def to_json(
    record: RunRecord,
    made: Sequence[Sequence[str]],
    looks: Mapping[str, Look],
    costs: Estimate,
    lost: Sequence[Stranded],
) -> dict[str, Any]:
    """`stranded` is by the whole change; `estimate` says what it assumes."""
    return {
        "version": VERSION,
        "config": record.label,
        "rollback": record.rollback,
        "engine": record.options.engine,
        "max_unavailable": record.options.max_unavailable,
        "max_failures": record.options.max_failures,
        "waves": [list(wave) for wave in made],
        "nodes": [
            {"node": name, "problem": looks[name].problem, **looks[name].told}
            for wave in made
            for name in wave
        ],
        "stranded": [one._asdict() for one in lost],
        "estimate": {**costs._asdict(), "assumes": ASSUMES},
    }


def _lines(
    record: RunRecord,
    made: Sequence[Sequence[str]],
    looks: Mapping[str, Look],
    costs: Estimate,
    lost: Sequence[Stranded],
) -> Iterator[str]:
    count, size = len(record.nodes), record.options.max_unavailable
    yield f"to {record.what}: {count} nodes in {len(made)} waves, {size} at a time"
    for number, wave in enumerate(made, 1):
        yield f"wave {number}"
        for name in wave:
            yield from _of_node(looks[name])
    yield from _unknown(looks)
    for one in lost:
        yield f"strands job {one.job} of {one.user}, which waits for {one.gres}: {one.why}"
    yield from _cost(costs)


def _of_node(look: Look) -> Iterator[str]:
    if look.problem:
        yield f"  {look.node}  problem: {look.problem}"
    elif not look.told["changes"] and not look.told["does"]:
        yield f"  {look.node}  nothing to do"
    for text in look.told.get("does", ()):
        yield f"  {look.node}  {text}"
    for job in look.told.get("jobs", ()):
        yield f"  {look.node}  waits for {job['text']}"


def _unknown(looks: Mapping[str, Look]) -> Iterator[str]:
    """What only the nodes can tell, where nobody asked them."""
    of: dict[str, list[str]] = {}
    for name, look in looks.items():
        for text in look.told.get("unknown", ()):
            of.setdefault(text, []).append(name)
    if of:
        yield "by what slurmctld has; only the nodes themselves can tell"
    for text, names in of.items():
        yield f"  {text}" if len(names) == len(looks) else f"  {text} (of {', '.join(names)})"


def _cost(costs: Estimate) -> Iterator[str]:
    least, most, hours = costs
    if least is None:
        return
    bound = "no bound is known" if most is None else f"{most:.2f} at most"
    lasts = "" if hours is None else f", in {hours:.2f} h at most"
    yield f"GPU-hours out of service, estimated: {least:.2f} at least, {bound}{lasts}"
    yield f"  ({ASSUMES})"


def _stranded(world: FleetWorld, looks: Mapping[str, Look]) -> tuple[Stranded, ...]:
    types = {
        name: look.told["types"] if look.told.get("exact", True) else _many(look.told["types"])
        for name, look in looks.items()
        if not look.problem and look.told["types"] is not None
    }
    return stranded_by(world.client, types)


def _many(types: Types) -> Types:
    """As many as may be: whom there may be enough for, is not stranded."""
    return dict.fromkeys(types, _MANY)
