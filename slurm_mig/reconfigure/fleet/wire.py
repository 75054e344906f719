"""What goes over the wire to a member and back: an order on its stdin, lines of JSON on its stdout.

What a node prints is believed as far as it is checked here: it comes to be written into
slurm.conf, gres.conf, reasons and terminals.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from slurm_mig.errors import SlurmMigError
from slurm_mig.gpu.checked import Checked
from slurm_mig.reconfigure.record import FORMER, GOALS, PHASES, TARGET
from slurm_mig.reconfigure.run import Took
from slurm_mig.reconfigure.world import Event
from slurm_mig.slurm.config.block import BEGIN, END
from slurm_mig.slurm.ways import Kind
from slurm_mig.system.printable import printable

VERSION = 1
HELD: Final = "held"
READY: Final = "ready"
REFUSED: Final = "refused"
# How a member ends; the others are loop's.
OUTCOMES: Final = ("nothing", "done", "former", "drained", READY, HELD, REFUSED)
_STATES = ("begins", "goes on", "held", "ended", "failed")
_NUMBERS = (int, float)
_MAY_BE_NONE = {"timeout_s": _NUMBERS, "cancel_after_s": _NUMBERS, "smoke": (bool,)}
_LONGEST_TEXT = 1000
_LONGEST_LINE = 1 << 20
_LONGEST_BLOCK = 1 << 17
_GPUS = re.compile(r"gpu(:[A-Za-z0-9_.+-]+){1,2}(,gpu(:[A-Za-z0-9_.+-]+){1,2})*", re.ASCII)


class WireError(SlurmMigError):
    """What came over the wire is no order, or no answer of a member."""


class Order(NamedTuple):
    """What a member is told.

    `run_id` is the run's, and of which attempt. `label` and `text` as in RunRecord. `published`
    is the goal that slurm.conf has of the node, `touched`: it may have one that is not the
    former. `undo`: it is to go back. `look`: only look. `waits`: only until its jobs have ended,
    with its slurmd running; a dynamic node does not care.
    """

    run_id: str
    begun_on: str
    node: str
    label: str
    text: str
    rollback: bool = False
    undo: bool = False
    look: bool = False
    waits: bool = False
    published: str = ""
    touched: bool = False
    timeout_s: float | None = None
    cancel_after_s: float | None = None
    smoke: bool | None = None


class Report(NamedTuple):
    """How a member ended. Ready: drained, and no job holds GRES there.

    Held: `goal`, `way`, `gres` and `block` are what is to be published.

    `block` is the node's part of a gres.conf of many nodes; "" where the member has written its
    own.
    """

    outcome: str
    goal: str = TARGET
    way: str = ""
    gres: str = ""
    block: str = ""
    problem: str = ""
    next_step: str = ""
    took: tuple[Took, ...] = ()
    remarks: tuple[str, ...] = ()


class Told(NamedTuple):
    """The last line of one that looked."""

    look: Mapping[str, Any]


def order_text(order: Order) -> str:
    """An order as it is sent."""
    return json.dumps({"version": VERSION, **order._asdict()}) + "\n"


def read_order(text: str) -> Order:
    """What order_text() made. Raises WireError."""
    try:
        plain = json.loads(text)
        if plain.pop("version") != VERSION:
            raise ValueError(f"this slurm-mig reads version {VERSION}")
        order = Order(**plain)
        for name, kind in Order.__annotations__.items():
            value = getattr(order, name)
            right = type(value) in _MAY_BE_NONE.get(name, (kind,))
            if not right and (value is not None or name not in _MAY_BE_NONE):
                raise TypeError(f"{name}: {value!r}")
        if order.published not in ("", *GOALS) or not (order.run_id and order.node):
            raise ValueError("published, run_id, node")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as why:
        raise WireError(
            f"no order of a slurm-mig of this version: {printable(repr(why))}"
        ) from None
    return order


def event_line(event: Event) -> str:
    """An event as a member prints it."""
    return json.dumps({"version": VERSION, "event": event._asdict()})


def report_line(report: Report) -> str:
    """The last line of a member."""
    took = [one._asdict() for one in report.took]
    return json.dumps({"version": VERSION, "report": {**report._asdict(), "took": took}})


def look_line(look: Mapping[str, Any]) -> str:
    """The last line of one that looked."""
    return json.dumps({"version": VERSION, "look": dict(look)})


def read_line(line: bytes, node: str) -> Event | Report | Told:
    """A line that the member of `node` printed. Raises WireError."""
    if len(line) > _LONGEST_LINE:
        raise WireError(f"a line of {len(line)} bytes")
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise WireError(f"no JSON: {printable(line.decode(errors='replace'))}") from None
    problems: list[str] = []
    top = Checked(found, "", problems)
    if not problems and top.number("version") != VERSION and not problems:
        top.note("version", f"another slurm-mig's; this one reads {VERSION}")
    made: Event | Report | Told
    if "event" in top:
        made = _event(top.child("event"))
    elif "look" in top:
        made = Told(_look(top.child("look")))
    else:
        made = _report(top.child("report"), node)
    if problems:
        raise WireError(printable("; ".join(problems), _LONGEST_TEXT))
    return made


def _look(found: Checked) -> dict[str, Any]:
    """What looked.to_json() made; the plans in it are only handed on."""
    types = found.raw("types")
    if not isinstance(types, dict) or not all(type(count) is int for count in types.values()):
        found.note("types", "no types with their counts")
        types = {}
    return {
        "changes": found.flag("changes"),
        "does": [printable(one, _LONGEST_TEXT) for one in found.texts("does")],
        "way": _one_of(found, "way", [kind.value for kind in Kind]),
        "gpu_count": found.number("gpu_count"),
        "types": {printable(str(kind)): count for kind, count in types.items()},
        "jobs": [_job(one) for one in found.children("jobs")],
        "gpus": found.raw("gpus"),
    }


def _job(found: Checked) -> dict[str, Any]:
    end = found.raw("end_time")
    return {
        "job_id": found.number("job_id"),
        **{key: _text(found, key) for key in ("shown", "user", "name", "text")},
        "end_time": None if end is None else _seconds(found, "end_time"),
    }


def _event(found: Checked) -> Event:
    return Event(
        _one_of(found, "phase", PHASES),
        _one_of(found, "goal", ("", *GOALS)),
        _one_of(found, "state", _STATES),
        _text(found, "text"),
        _seconds(found, "seconds"),
    )


def _report(found: Checked, node: str) -> Report:
    outcome = _one_of(found, "outcome", OUTCOMES)
    held = outcome == HELD
    return Report(
        outcome=outcome,
        goal=_one_of(found, "goal", GOALS),
        way=_one_of(found, "way", [*(kind.value for kind in Kind), *([] if held else [""])]),
        gres=_gres(found) if held else "",
        block=_block(found, node) if held else "",
        problem=_text(found, "problem"),
        next_step=_text(found, "next_step"),
        took=tuple(_took(one) for one in found.children("took")),
        remarks=tuple(printable(one, _LONGEST_TEXT) for one in found.texts("remarks")),
    )


def _took(found: Checked) -> Took:
    return Took(
        _one_of(found, "phase", PHASES),
        FORMER if _one_of(found, "goal", GOALS) == FORMER else TARGET,
        _seconds(found, "seconds"),
    )


def _one_of(found: Checked, key: str, known: Sequence[str]) -> str:
    value = found.raw(key)
    if value not in known:
        found.note(key, f"{printable(repr(value), 60)} is none of {', '.join(known)}")
        return known[0]
    return str(value)


def _text(found: Checked, key: str) -> str:
    value = found.raw(key)
    if not isinstance(value, str):
        found.note(key, "no text")
        return ""
    return printable(value, _LONGEST_TEXT)


def _seconds(found: Checked, key: str) -> float:
    value = found.raw(key)
    if type(value) not in (int, float) or not 0 <= value < 1e11:
        found.note(key, "no seconds")
        return 0.0
    return float(value)


def _gres(found: Checked) -> str:
    """It comes to stand in slurm.conf. "" for a node without gpus."""
    value = found.raw("gres")
    if not isinstance(value, str) or (value and not _GPUS.fullmatch(value)):
        found.note("gres", f"{printable(repr(value), 60)} is no list of gpus")
        return ""
    return value


def _block(found: Checked, node: str) -> str:
    """It comes to stand in a gres.conf of many nodes: no line may speak of another one."""
    value = found.raw("block")
    if value == "":
        return ""
    if not isinstance(value, str) or len(value) > _LONGEST_BLOCK:
        found.note("block", "no block of gres.conf")
        return ""
    lines = value.removesuffix("\n").split("\n")
    if lines[0] != f"{BEGIN} {node}" or lines[-1] != f"{END} {node}" or len(lines) < 2:
        found.note("block", f"it is not between the marks of {node}")
    for line in lines[1:-1]:
        comment = line.startswith("#") and not line.startswith((BEGIN, END))
        if not line.isprintable() or line.endswith("\\"):
            found.note("block", f"{printable(repr(line), 60)} is no line of gres.conf")
        elif line and not comment and not line.startswith(f"NodeName={node} "):
            found.note("block", f"{printable(line, 60)!r} is not about {node}")
    return value
