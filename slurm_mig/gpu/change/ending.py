"""How an apply or a recover ends, as a Result."""

from pathlib import Path

from slurm_mig.errors import JournalError
from slurm_mig.gpu.change import journal
from slurm_mig.gpu.change.attempt import Attempt
from slurm_mig.gpu.change.execute import RebootNeeded
from slurm_mig.gpu.change.transaction import DONE, FORMER, NOTHING, REBOOT, STUCK, Result

_RECOVER = "run `slurm-mig recover`"
_AFTER_REBOOT = f"reboot the node, then {_RECOVER}"
_LOOK = "free or repair what is named, then run `slurm-mig recover`; see `slurm-mig discover`"


def ended(attempt: Attempt, root: Path, outcome: str, problem: str = "") -> Result:
    """All GPUs are verified: the journal goes."""
    next_step = ""
    try:
        journal.close(root)
    except JournalError as why:
        problem, next_step = f"{problem}; {why}" if problem else str(why), _RECOVER
    return _result(attempt, outcome, problem, next_step)


def stopped(attempt: Attempt, why: Exception, first: Exception | None = None) -> Result:
    """Neither wanted nor former: the journal stays. `first` is what made it go back."""
    problem = str(why) if first is None else f"{first}; then, going back: {why}"
    if isinstance(why, RebootNeeded):
        attempt.wait_for_reboot()
        return _result(attempt, REBOOT, problem, _AFTER_REBOOT)
    return _result(attempt, STUCK, problem, _LOOK)


def lost(problem: str) -> Result:
    """No worker came to its end: nobody could look."""
    return Result(STUCK, problem, _LOOK)


def told(result: Result) -> str:
    """How a change ended that nobody waited for, in a line."""
    if result.outcome == FORMER:
        return "all GPUs are as before"
    if result.outcome == DONE:
        return "all GPUs are as wanted"
    if result.outcome == NOTHING:
        return "no change of the GPUs is under way: see `slurm-mig plan` for what they are"
    return f"not all GPUs are as before: {result.problem}: {result.next_step}"


def _result(attempt: Attempt, outcome: str, problem: str, next_step: str) -> Result:
    gpus, took = attempt.ends(), tuple(attempt.work.took)
    return Result(outcome, problem, next_step, gpus, attempt.remarks, took)
