"""How a node is that was ordered by a reboot, by what slurmctld says of it alone. Pure.

Nothing else comes back from the node: where all went well it is in service again, with a slurmd
that started since, and where it did not it stays drained, and its reason says why (reboot/worker).
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from slurm_mig.reconfigure.drained import begins
from slurm_mig.reconfigure.fleet.record import DONE, DRAINED, LOST
from slurm_mig.reconfigure.reboot.desired import Order
from slurm_mig.slurm.controller.client import NodeState

WAIT: Final = "WAIT"  # for its jobs
REBOOT: Final = "REBOOT"  # slurmd has run RebootProgram, or is about to
AT_IT: Final = "PARTITION"  # in any of the phases, as far as is known from here
TESTED: Final = "SMOKE"  # in service, but for its test jobs only
QUIET: Final = "QUIET"  # as if nothing had been: nothing was to be done, or it only begins
_SLACK_S = 2.0  # between slurmd's start as slurmctld tells it, and itself
_OURS = "slurm-mig re"
_TO_BE_RECOVERED = "slurm-mig recover ["
_IS_AT_IT = re.compile(r"slurm-mig reconfigure \[([^\]]*)\](?! not done)")


class Seen(NamedTuple):
    """What it is at, or its `outcome`."""

    phase: str
    outcome: str = ""
    problem: str = ""


def see(node: NodeState | None, order: Order) -> Seen:
    """How it is; None is a node that slurmctld does not know just now (a dynamic one)."""
    if node is None:
        return Seen(AT_IT)
    if "REBOOT_REQUESTED" in node.state:
        return Seen(WAIT)
    if "REBOOT_ISSUED" in node.state:
        return Seen(REBOOT)
    if "DOWN" in node.state:
        return Seen(AT_IT, LOST, f"it is DOWN ({node.reason})")
    if node.drains:
        return _drained(node, order)
    if not node.answers:
        return Seen(AT_IT)
    return Seen(AT_IT, DONE) if anew(node, order) else Seen(QUIET)


def _drained(node: NodeState, order: Order) -> Seen:
    # To be recovered from whatever run: it was not, when it was ordered.
    failed = (_TO_BE_RECOVERED, f"{begins(order.run)} not done")
    if node.reason.startswith(failed):
        return Seen(AT_IT, DRAINED, node.reason)
    his = order.theirs is not None and node.reason == order.theirs
    if his and node.answers:  # he finds it as he left it
        return Seen(AT_IT, DONE) if anew(node, order) else Seen(QUIET)
    return Seen(AT_IT)


def anew(node: NodeState, order: Order) -> bool:
    """Whether its slurmd has started since the order."""
    return (node.slurmd_start or 0) > order.started + _SLACK_S


def is_other(node: NodeState, order: Order) -> bool:
    """Whether slurmctld has other gpus of it than at the order."""
    return gpus_text(node) != order.before


def gpus_text(node: NodeState) -> str:
    """The gpus that slurmctld has of it, as an order keeps them."""
    gpus = (one for one in node.gres if one.name == "gpu" and one.number)
    return ",".join(f"{one.type or ''}:{one.number}" for one in gpus)


def theirs_of(node: NodeState) -> str | None:
    """Why somebody else has drained it; None: nobody has."""
    if not node.drains or node.reason.startswith(_OURS):
        return None
    return node.reason or "drained without a reason"


def to_be_recovered(node: NodeState) -> bool:
    """Whether its slices may be other than slurmctld believes: a reboot would end its drain."""
    return node.drains and node.reason.startswith(_TO_BE_RECOVERED)


def forbids(node: NodeState, run: str) -> str:
    """Why it cannot be ordered; "": it can."""
    if node.state & {"REBOOT_REQUESTED", "REBOOT_ISSUED"} and run not in node.reason:
        return f"somebody else reboots it ({node.reason}): wait for that"
    other = _IS_AT_IT.match(node.reason)
    if node.drains and other is not None and other[1].partition(".")[0] != run:
        recover = f"or, if it was cut short, run `slurm-mig recover` on {node.name}"
        return f"reconfigure {other[1]} is at it: wait for its end, {recover}"
    if "DOWN" in node.state and "REBOOT_ISSUED" not in node.state:
        return f"it is DOWN ({node.reason}): mend that first"
    if node.state & {"POWER_DOWN", "POWERED_DOWN", "POWERING_DOWN", "FUTURE"}:
        return f"it is {'+'.join(sorted(node.state))}"
    return ""


class Watch:
    """Since when each node of a wave is at what it is at, by the clock that is given."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: dict[str, tuple[str, float]] = {}
        self._emptied: dict[str, float] = {}
        self._moved: set[str] = set()

    def moved(self, name: str) -> bool:
        """Whether it was ever seen to be at it."""
        return name in self._moved

    def seen(self, name: str, phase: str) -> tuple[float, float]:
        """For how long it is at `phase` ("": nobody knows), and for how long it has no jobs."""
        now = self._clock()
        former, since = self._since.get(name, (phase, now))
        if phase and phase != former:
            since = now
        self._since[name] = (phase or former, since)
        if phase not in ("", QUIET):
            self._moved.add(name)
        if (phase or former) == WAIT:
            self._emptied.pop(name, None)
            return now - since, 0.0
        return now - since, now - self._emptied.setdefault(name, now)
