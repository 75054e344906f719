"""Orders to members, and what comes back: of each node a report, or why there is none."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from slurm_mig.reconfigure.fleet.engine import Look
from slurm_mig.reconfigure.fleet.wire import (
    Order,
    Report,
    Told,
    WireError,
    order_text,
    read_line,
)
from slurm_mig.reconfigure.world import Event
from slurm_mig.slurm.reach import Answer, Reach
from slurm_mig.system.printable import printable

MEMBER: Final = "member"
_TRIES = 2  # a connection that was lost midway: the same order waits for whoever is at it
_PAUSE_S = 2.0
_LOOK_S = 300.0
_NO_PROGRAM: Final = (126, 127)  # so shells say that there is none, or none that can be run

TellEvent = Callable[[str, Event], object]
TellReport = Callable[[str, Report], object]


class Members:
    """slurm-mig on the nodes, by `words`."""

    def __init__(
        self, reach: Reach, words: Sequence[str], sleep: Callable[[float], object]
    ) -> None:
        self._reach, self._words, self._sleep = reach, (*words, MEMBER), sleep

    def order(
        self,
        orders: Mapping[str, Order],
        timeout_s: float | None,
        tell: TellEvent,
        ended: TellReport,
    ) -> dict[str, str]:
        """Have them carried out. `ended` gets each report as it comes.

        Answers, of those that did not report, why. Raises what `tell` and `ended` raise.
        """
        left = dict(orders)
        silent: dict[str, str] = {}
        for number in range(_TRIES):
            if number:
                self._sleep(_PAUSE_S)
            silent = self._once(left, timeout_s, tell, ended)
            left = {node: left[node] for node in silent}
            if not left:
                break
        return silent

    def _once(
        self,
        orders: Mapping[str, Order],
        timeout_s: float | None,
        tell: TellEvent,
        ended: TellReport,
    ) -> dict[str, str]:
        reported: set[str] = set()
        wrong: dict[str, str] = {}

        def take(node: str, line: bytes) -> None:
            try:
                found = read_line(line, node)
            except WireError as why:
                wrong[node] = f"it printed what no member prints: {why}"
                return
            if isinstance(found, Event):
                tell(node, found)
            elif isinstance(found, Report) and node not in reported:
                reported.add(node)
                ended(node, found)

        answers = self._reach.run(_texts(orders), self._words, timeout_s=timeout_s, tell=take)
        return {
            node: wrong.get(node) or _why(answer)
            for node, answer in answers.items()
            if node not in reported
        }

    def look(self, orders: Mapping[str, Order]) -> list[Look]:
        """What each would do."""
        answers = self._reach.run(_texts(orders), self._words, timeout_s=_LOOK_S)
        return [_look(node, answers[node]) for node in orders]


def _texts(orders: Mapping[str, Order]) -> dict[str, bytes]:
    return {node: order_text(order).encode() for node, order in orders.items()}


def _look(node: str, answer: Answer) -> Look:
    lines = answer.out.splitlines()
    try:
        found: Any = read_line(lines[-1], node) if answer.code == 0 and lines else None
    except WireError as why:
        return Look(node, {}, f"it printed what no member prints: {why}")
    return Look(node, found.look) if isinstance(found, Told) else Look(node, {}, _why(answer))


def _why(answer: Answer) -> str:
    lines = [line for line in answer.err.decode(errors="replace").splitlines() if line.strip()]
    said = printable(" ".join(lines[-6:]), 600).removeprefix("slurm-mig: ")
    if answer.code is None:
        return said or "not reached"
    if answer.code in _NO_PROGRAM:
        said = f"{said} (remote_slurm_mig in [reconfigure] of config.toml says where it is there)"
    return said or f"its slurm-mig ended with {answer.code} and said nothing"
