"""Orders to nodes: each answer is taken once, and who is silent is asked once more."""

from collections.abc import Callable, Sequence

import pytest

from slurm_mig.reconfigure.fleet import wire
from slurm_mig.reconfigure.fleet.members import Members
from slurm_mig.reconfigure.fleet.wire import Order, Report, read_order
from slurm_mig.reconfigure.world import Event
from tests.fakes_reach import FakeReach, Ran, Say
from tests.reconfigure.fleet import runs
from tests.reconfigure.fleet.test_wire import LOOK

WAITS = Event("WAIT", "target", "begins")
DONE = Report("done")
Act = Callable[[str, Say], Ran]


class Ordered:
    """What came of an order to two nodes that do this."""

    def __init__(self, act: Act) -> None:
        self.events: list[tuple[str, Event]] = []
        self.reports: list[tuple[str, Report]] = []
        self.slept: list[float] = []
        self.given: list[Order] = []

        def program(node: str, given: bytes, words: Sequence[str], say: Say) -> Ran:
            self.given.append(read_order(given.decode()))
            return act(node, say)

        self.reach = FakeReach(program)
        self.members = Members(self.reach, ["sudo", "slurm-mig"], self.slept.append)
        self.orders = {
            name: Order(runs.RUN, "ctl", name, "mixed", runs.TEXT) for name in ("n1", "n2")
        }

    def silent(self) -> dict[str, str]:
        return self.members.order(
            self.orders,
            None,
            lambda node, event: self.events.append((node, event)),
            lambda node, report: self.reports.append((node, report)),
        )


def says(*lines: str, code: int | None = 0, err: bytes = b"") -> Act:
    def act(_: str, say: Say) -> Ran:
        for line in lines:
            say(line.encode())
        return Ran(code, b"", err)

    return act


def test_events_and_reports() -> None:
    ordered = Ordered(says(wire.event_line(WAITS), wire.report_line(DONE)))
    assert ordered.silent() == {}
    assert ordered.events == [("n1", WAITS), ("n2", WAITS)]
    assert ordered.reports == [("n1", DONE), ("n2", DONE)]
    assert ordered.reach.ran[0] == ("n1", ("sudo", "slurm-mig", "member"))
    assert ordered.given == list(ordered.orders.values())


def test_a_second_report_is_nobody_s() -> None:
    ordered = Ordered(says(wire.report_line(DONE), wire.report_line(Report("drained"))))
    assert ordered.silent() == {}
    assert [report.outcome for _, report in ordered.reports] == ["done", "done"]


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (says(code=None), "not reached"),
        (
            says(code=127, err=b"sh: slurm-mig: not found\n"),
            "sh: slurm-mig: not found (remote_slurm_mig in [reconfigure] of config.toml says "
            "where it is there)",
        ),
        (says(code=1, err=b"slurm-mig: no slurm.conf\n"), "no slurm.conf"),
        (says(code=3), "its slurm-mig ended with 3 and said nothing"),
        (says("Welcome to n1!"), "it printed what no member prints: no JSON: Welcome to n1!"),
        (says(code=1, err=b"\x1b[2J\n"), r"\x1b[2J"),
    ],
)
def test_who_is_silent_is_asked_once_more(act: Act, why: str) -> None:
    ordered = Ordered(act)
    assert ordered.silent() == {"n1": why, "n2": why}
    assert len(ordered.reach.ran) == 4
    assert ordered.slept == [2.0]


def test_only_who_is_silent_is_asked_again() -> None:
    def act(node: str, say: Say) -> Ran:
        if node == "n1" or len(ordered.reach.ran) > 2:
            say(wire.report_line(DONE).encode())
        return Ran(0)

    ordered = Ordered(act)
    assert ordered.silent() == {}
    assert [node for node, _ in ordered.reach.ran] == ["n1", "n2", "n2"]


def test_a_motd_before_the_report_harms_nothing() -> None:
    ordered = Ordered(says("Welcome!", wire.report_line(DONE)))
    assert ordered.silent() == {}


def test_looks() -> None:
    def act(node: str, say: Say) -> Ran:
        if node == "n2":
            return Ran(1, b"", b"slurm-mig: n2 is DOWN\n")
        say(wire.look_line(LOOK).encode())
        return Ran(0)

    ordered = Ordered(act)
    one, two = ordered.members.look(ordered.orders)
    assert (one.told, one.problem) == (LOOK, "")
    assert (two.told, two.problem) == ({}, "n2 is DOWN")


@pytest.mark.parametrize("line", ["", "hello", wire.report_line(DONE)])
def test_what_is_no_look_is_a_problem(line: str) -> None:
    ordered = Ordered(says(*filter(None, [line])))
    assert all(look.problem and not look.told for look in ordered.members.look(ordered.orders))
