"""How long we ask a slurmctld that is slow, restarting, or handing over to its backup."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from slurm_mig.errors import SlurmNotAnswering, SlurmRefused

T = TypeVar("T")
CallS = Callable[[], float]  # how long the next command may take, in seconds
Ask = Callable[[CallS], T]  # runs some commands


@dataclass(frozen=True, slots=True)
class Patience:
    """All the commands of one question end within `total_s`, each within `call_s`.

    A backup takes over after SlurmctldTimeout (120 s by default). Slurm's commands try for
    about MessageTimeout (10 s) themselves, so that a command needs more than that.
    """

    total_s: float = 180.0
    call_s: float = 30.0
    first_pause_s: float = 0.25
    longest_pause_s: float = 5.0
    clock: Callable[[], float] = field(default=time.monotonic)
    sleep: Callable[[float], None] = field(default=time.sleep)

    def read(self, ask: Ask[T]) -> T:
        """Ask until there is an answer. For what changes nothing, or may be done twice.

        Raises SlurmNotAnswering when patience ends; what slurmctld refuses at once.
        """
        return self._begin().read(ask)

    def change(self, ask: Ask[object], done: Ask[bool]) -> None:
        """Have one change made once: after a lost answer look whether it is `done` already.

        Raises SlurmNotAnswering when it could not be found out, SlurmRefused.
        """
        trial = self._begin()
        tried = lost = False
        while True:
            try:
                ask(trial.call_s)
                return
            except SlurmNotAnswering as why:
                tried, lost = True, lost or not why.unsent
                trial.pause(SlurmNotAnswering(str(why), unsent=not lost))
            except SlurmRefused:
                # Our own first attempt may be why: it was answered to nobody. Also one that says
                # it was not sent: Slurm's commands try again by themselves, and tell of the last.
                if tried and trial.read(done):
                    return
                raise
            if lost and trial.read(done):
                return

    def _begin(self) -> "_Trial":
        return _Trial(self, self.clock() + self.total_s, self.first_pause_s)


@dataclass(slots=True)
class _Trial:
    patience: Patience
    end: float
    pause_s: float

    def call_s(self) -> float:
        """How long the next attempt may take."""
        return max(0.01, min(self.patience.call_s, self.end - self.patience.clock()))

    def pause(self, why: SlurmNotAnswering) -> None:
        """Wait before the next attempt; raises `why`, said more fully, when time is up."""
        left = self.end - self.patience.clock()
        if left <= self.pause_s:
            told = f"{why} (asked for {self.patience.total_s:g} s)"
            raise SlurmNotAnswering(told, unsent=why.unsent) from why
        self.patience.sleep(self.pause_s)
        self.pause_s = min(2 * self.pause_s, self.patience.longest_pause_s)

    def read(self, ask: Ask[T]) -> T:
        lost = False
        while True:
            try:
                return ask(self.call_s)
            except SlurmNotAnswering as why:
                lost = lost or not why.unsent
                self.pause(SlurmNotAnswering(str(why), unsent=not lost))
