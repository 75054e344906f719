"""One node: drain, wait, stop, partition, publish, start, verify, (smoke,) resume, commit.

Every phase looks first and acts on the difference only, so that whoever is killed anywhere can
begin again (`slurm-mig recover`): what is done already is passed over. Before a phase it is on the
disk that it begins, after it that it is over (record.py).

If a phase fails, the same phases lead back to what was before. If that fails too, or slurmctld
does not answer, the node stays drained, with a reason that names the next command. So a node takes
jobs only with the slices that Slurm believes it to have:

- it is drained before slurmd stops, and nobody resumes it but the phase RESUME;
- RESUME comes after VERIFY, which holds what slurmctld has against the slices that live;
- while test jobs run (SMOKE), a reservation keeps all others out;
- RESUME ends only a drain that is ours, by the record and by the reason.

One of many nodes is held before STOP, until others are as far, and at PUBLISH, where Slurm is told
of several together (fleet/): the record stays open, and whoever enters it again goes on.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from slurm_mig.errors import JournalError, SlurmMigError, SlurmNotAnswering
from slurm_mig.reconfigure import drained, phases, smoke, waiting
from slurm_mig.reconfigure.phases import Stuck
from slurm_mig.reconfigure.record import FORMER, TARGET
from slurm_mig.reconfigure.run import Run, Took, one_line
from slurm_mig.reconfigure.world import Elsewhere, Held

PHASES: Final[dict[str, Callable[[Run], None]]] = {
    "DRAIN": drained.drain,
    "WAIT": waiting.wait,
    "STOP": phases.stop,
    "PARTITION": phases.partition,
    "PUBLISH": phases.publish,
    "START": phases.start,
    "VERIFY": phases.verify,
    "SMOKE": smoke.smoke,
    "RESUME": phases.resume,
    "COMMIT": phases.commit,
}
LAST: Final = ("RESUME", "COMMIT")
DONE: Final = "done"  # the node is as wanted
BACK: Final = "former"  # it is as before
STAYS: Final = "drained"  # neither: it stays drained, and the record stays open
HELD: Final = "held"  # the same, but nothing is wrong: Slurm is to be told of it with others


class Ended(NamedTuple):
    """How it ended. `problem` is empty when all went well; `next_step` says what to do now."""

    outcome: str
    problem: str = ""
    next_step: str = ""
    took: tuple[Took, ...] = ()
    remarks: tuple[str, ...] = ()


def forward(run: Run, first: str | None = None, until: str | None = None) -> Ended:
    """To the target, or back, or it stays drained. The record is open.

    `first`: from this phase on, where all that comes before it is known to be done. `until`: it is
    held before that phase.
    """
    try:
        _go(run, first or _first(run), until)
    except Held as why:
        return _held(run, str(why))
    except (Stuck, Elsewhere, SlurmNotAnswering, JournalError) as why:
        return _stay(run, str(why))
    except (SlurmMigError, OSError) as why:
        return back(run, str(why))
    except KeyboardInterrupt:
        back(run, "interrupted")
        raise
    return Ended(DONE, "", "", tuple(run.took), tuple(run.remarks))


def back(run: Run, problem: str = "", first: str | None = None) -> Ended:
    """To what was before, or it stays drained. The record is open; `first` as in forward()."""
    try:
        drained.take_over_for(run)
        if run.record.goal == TARGET:
            first = _first_back(run)
            run.note(goal=FORMER, phase=first, problem=one_line(problem) or None)
        _go(run, first or _first(run))
    except Held as why:
        return _held(run, str(why))
    except (SlurmMigError, OSError) as why:
        return _stay(run, "; then, going back: ".join(filter(None, (problem, str(why)))))
    return Ended(BACK, problem, "", tuple(run.took), tuple(run.remarks))


def recover(
    run: Run, *, undo: bool = False, first: str | None = None, until: str | None = None
) -> Ended:
    """Go on where another one was cut short, or with `undo` go back. The record is ours now."""
    if undo or run.record.goal == FORMER:
        return back(run, run.record.problem or "", first)
    return forward(run, first, until)


def _go(run: Run, first: str, until: str | None = None) -> None:
    names = list(PHASES)
    for name in names[names.index(first) :]:
        if name == until:
            raise Held("waits for the others")
        if name != "SMOKE" or smoke.is_wanted(run):
            run.phase(name, PHASES[name])


def _first(run: Run) -> str:
    """With which phase to begin, by what is on the disk."""
    if run.record.phase in LAST:  # all is done but for these, and jobs may run already
        return "VERIFY" if phases.is_verified(run) else "DRAIN"
    return "DRAIN" if run.record.goal == TARGET else _first_back(run)


def _first_back(run: Run) -> str:
    """The same of the way back."""
    if not run.record.changed:
        return "START"
    # While slurmd stands still no job can end, and what was allocated is allocated as before.
    return "STOP" if run.record.phase in ("STOP", "PARTITION", "PUBLISH") else "DRAIN"


def _stay(run: Run, problem: str) -> Ended:
    """Keep the node out of service with a reason that is true."""
    told = drained.keep(run, problem)
    next_step = f"mend what is named, then run {drained.way_on(run.record)}"
    return Ended(STAYS, "; ".join([problem, *told]), next_step, tuple(run.took), tuple(run.remarks))


def _held(run: Run, why: str) -> Ended:
    return Ended(HELD, run.record.problem or "", why, tuple(run.took), tuple(run.remarks))
