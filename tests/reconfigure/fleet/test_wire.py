"""What goes over the wire: there and back whole; of what a node prints, only what is right."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.reconfigure.fleet import wire
from slurm_mig.reconfigure.fleet.wire import Order, Report, Told, WireError
from slurm_mig.reconfigure.run import Took
from slurm_mig.reconfigure.world import Event
from slurm_mig.slurm.config.block import wrap
from tests.reconfigure.fleet import runs

ORDER = Order(runs.RUN, "ctl", "n1", "mixed", runs.TEXT, timeout_s=5.0)
BLOCK = wrap("# ours\nNodeName=n1 AutoDetect=off\nNodeName=n1 Name=gpu File=/dev/nvidia0", "n1")
HELD = Report("held", "target", "reconfigure", "gpu:a:1,gpu:b:2", BLOCK)
LOOK = {
    "changes": True,
    "does": ["GPU 0: MIG off -> 7x1g.10gb"],
    "way": "restart",
    "gpu_count": 8,
    "types": {"1g.10gb": 56},
    "jobs": [
        {"job_id": 1, "shown": "1", "user": "eva", "name": "x", "end_time": None, "text": "job 1"}
    ],
    "gpus": [],
}


def read(line: str) -> Event | Report | Told:
    return wire.read_line(line.encode(), "n1")


def test_an_order_there_and_back() -> None:
    assert wire.read_order(wire.order_text(ORDER)) == ORDER
    other = ORDER._replace(rollback=True, published="former", timeout_s=None, cancel_after_s=1)
    assert wire.read_order(wire.order_text(other)) == other


@pytest.mark.parametrize(
    "changes",
    [
        *({"version": 2}, {"run_id": ""}, {"node": 1}, {"text": None}, {"undo": "yes"}),
        *({"timeout_s": "1"}, {"timeout_s": True}, {"published": "x"}, {"surprise": 1}),
    ],
)
def test_what_is_no_order(changes: dict[str, Any]) -> None:
    text = json.dumps({**json.loads(wire.order_text(ORDER)), **changes})
    with pytest.raises(WireError, match="no order"):
        wire.read_order(text)


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "{}", "[" * 100_000])
def test_what_is_no_json_of_an_order(text: str) -> None:
    with pytest.raises(WireError):
        wire.read_order(text)


@pytest.mark.parametrize(
    "report",
    [
        HELD,
        HELD._replace(goal="former", way="restart", gres="", block=""),
        Report("nothing"),
        Report("drained", "former", "dynamic", problem="a\\b", next_step="mend it"),
        Report("done", took=(Took("WAIT", "target", 0.5), Took("STOP", "former", 1))),
        Report("former", remarks=("n1 is IDLE",)),
    ],
)
def test_a_report_there_and_back(report: Report) -> None:
    assert read(wire.report_line(report)) == report


def test_events_and_looks_there_and_back() -> None:
    event = Event("WAIT", "target", "goes on", "waiting for job 1", 0.0)
    assert read(wire.event_line(event)) == event
    assert read(wire.look_line(LOOK)) == Told(LOOK)


def reported(**changes: Any) -> str:
    plain = json.loads(wire.report_line(HELD))
    return json.dumps({**plain, "report": {**plain["report"], **changes}})


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("Last login: today", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("x" * (2 << 20), "a line of"),
        ("[]", "not an object"),
        ("{}", "version"),
        ('{"version": 1}', "report: missing"),
        ('{"version": 2, "report": {}}', "another slurm-mig's"),
        (reported(outcome="fine"), "outcome"),
        (reported(goal="x"), "goal"),
        (reported(way=""), "way"),
        (reported(gres="gpu:a:1\nNodeName=n2"), "no list of gpus"),
        (reported(gres="gpu:a:1 State=DOWN"), "no list of gpus"),
        (reported(gres="mps:100"), "no list of gpus"),
        (reported(gres=7), "no list of gpus"),
        (reported(block=BLOCK.replace("n1", "n2")), "marks of n1"),
        (reported(block=BLOCK.replace("NodeName=n1 Name", "NodeName=n2 Name")), "not about n1"),
        (reported(block=BLOCK.replace("NodeName=n1 Name", "Name")), "not about n1"),
        (reported(block=BLOCK.replace("# ours", "Include /etc/shadow")), "not about n1"),
        (reported(block=BLOCK.replace("# ours", "# ours\\")), "no line of gres.conf"),
        (reported(block=BLOCK.replace("# ours", "# \x1b[2J")), "no line of gres.conf"),
        (reported(block=BLOCK.replace("# ours", "# END slurm-mig n1")), "not about n1"),
        (reported(block="x" * (1 << 18)), "no block"),
        (reported(problem=None), "problem"),
        (reported(took=[{"phase": "NAP", "goal": "target", "seconds": 1}]), "phase"),
        (reported(took=[{"phase": "WAIT", "goal": "target", "seconds": -1}]), "seconds"),
        (reported(took={}), "took"),
        (reported(remarks=[1]), "remarks"),
    ],
)
def test_what_no_member_prints(line: str, why: str) -> None:
    with pytest.raises(WireError, match=why) as caught:
        read(line)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "changes",
    [
        *({"changes": 1}, {"does": "x"}, {"way": "x"}, {"gpu_count": -1}, {"types": []}),
        *({"types": {"a": "1"}}, {"jobs": [{}]}, {"jobs": 1}),
    ],
)
def test_what_is_no_look(changes: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        read(wire.look_line({**LOOK, **changes}))


def test_what_a_terminal_would_obey_is_escaped() -> None:
    plain = json.loads(wire.report_line(Report("former", problem="x")))
    plain["report"]["problem"] = "\x1b]0;title\x07 and\na line"
    found = read(json.dumps(plain))
    assert isinstance(found, Report)
    assert found.problem.isprintable()


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.text(), st.lists).map(repr).map(str.encode)
)
def test_nothing_else_is_raised(line: bytes) -> None:
    try:
        wire.read_line(line, "n1")
    except WireError:
        return
    raise AssertionError(line)
