"""Who held a slice and hardly used it. Pure; every rule can be proved from means alone."""

from typing import NamedTuple

from slurm_mig.usage.report.figures import busy
from slurm_mig.usage.store.nouns import Slice
from slurm_mig.usage.store.rules import IdleRule

LEAST_S = 300.0
NO_PROCESS = 0.5
NO_ACTIVITY = 0.01
LIMITS = IdleRule(LEAST_S, NO_PROCESS, NO_ACTIVITY)  # for a database that is to find the same
RULE = (
    f"idle: sampled for at least {LEAST_S / 60:.0f} min, and on average fewer than {NO_PROCESS:g}"
    f" processes on it (so none for most of that time), or a mean activity below {NO_ACTIVITY:.0%}"
    f" (so below {2 * NO_ACTIVITY:.0%} for most of it); compute instances that share a GPU instance"
    " by their processes only"
)


class Idle(NamedTuple):
    """`kind` is "no process" or "no activity"."""

    kind: str
    mean_processes: float | None
    mean_activity: float | None


def idle(one: Slice) -> Idle | None:
    """How the slice was idle; None where it was not, or where that is not known."""
    if one.sampled_s is None or one.sampled_s < LEAST_S:
        return None
    processes, activity = one.processes_mean, busy(one)
    if processes is not None and processes < NO_PROCESS:
        return Idle("no process", processes, activity)
    if activity is not None and activity < NO_ACTIVITY:
        return Idle("no activity", processes, activity)
    return None
