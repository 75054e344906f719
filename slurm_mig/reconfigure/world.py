"""What a reconfigure needs of the world: the node's GPUs, its slurmd, slurmctld, and what is told.

The real ones are in site.py; the tests have others.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from slurm_mig.errors import SlurmMigError
from slurm_mig.gpu.change.transaction import Result
from slurm_mig.gpu.partitioning import WantedGpu
from slurm_mig.gpu.planning.plan import GpuPlan
from slurm_mig.slurm.controller.client import NodeState, SlurmClient

Notes = Mapping[str, str]
Types = Mapping[str, int]  # of the node's gpus: {"1g.10gb": 7}


class Gpus(Protocol):
    """NVIDIA's side of the node."""

    def change(self, wanted: Mapping[str, WantedGpu], *, back: bool) -> Result:
        """Make the GPUs, by UUID, what is wanted; `back`: an apply that was cut short is undone.

        Raises SlurmMigError or OSError where nothing was changed.
        """


class Slurmd(Protocol):
    """The node's slurmd."""

    def runs(self) -> bool:
        """Whether it does."""

    def stop(self) -> None:
        """Stop it, where it runs; its jobs go on. Raises SlurmMigError where it stays."""

    def start(self, words: Mapping[str, str]) -> None:
        """Start it, where it does not run. Raises SlurmMigError where it does not start.

        `words`: what stands for what in the site's command.
        """

    def started(self) -> float | None:
        """When, in seconds since 1970; None where that is unknown."""

    def last_words(self) -> str:
        """The end of its log, for people: one line; "" where it cannot be read."""

    def renew_map(self) -> Sequence[str]:
        """Hold its list against the slices that live, and write the gres map; warnings.

        Raises SlurmMigError where they differ.
        """


class Held(Exception):
    """No error: Slurm is told of this node together with others, by somebody else.

    The node stays as it is until then: drained, its slurmd stopped, its record open at PUBLISH.
    """


class Elsewhere(SlurmMigError):
    """Slurm can be told of this node on another machine only: until then it stays as it is."""


class Publisher(Protocol):
    """How Slurm is told what the node has, by the way that its version and the node take.

    `notes` are what was chosen before the node was drained; `name` is the run's.
    """

    def choose(self, node: NodeState) -> Notes:
        """The way, and all that has to be known of how it was. Raises Refused."""

    def hindrances(self, notes: Notes) -> Sequence[str]:
        """Why publish() could not do what it will have to, as far as that is known before."""

    def begin(self, name: str, notes: Notes) -> None:
        """The record is about to be written: keep what is needed to notice others' changes."""

    def needs_it_empty(self, notes: Notes) -> bool:
        """Whether no job at all may be on the node (a dynamic one is deleted)."""

    def types(self, notes: Notes) -> Types:
        """What slurmd has to have now, by the slices that live."""

    def types_after(self, notes: Notes, plans: Sequence[GpuPlan]) -> Types:
        """The same when these plans have been carried out. Raises Refused: Slurm mixes them up."""

    def publish(self, name: str, notes: Notes, *, back: bool) -> None:
        """Tell Slurm of the slices that live, while slurmd does not run.

        Raises SlurmMigError; Refused where a file was changed by hand since begin(), unless it
        goes `back`; Held where others tell Slurm, and have not yet; Elsewhere where it must be
        they, and is not.
        """

    def start_words(self, notes: Notes, reason: str) -> Mapping[str, str]:
        """What the words of the start command stand for ({conf} for a dynamic node)."""

    def end(self, name: str) -> None:
        """All is over."""


class Place(NamedTuple):
    """One entry of slurmd's list: its type as it is asked for, and its UUID."""

    type: str
    uuid: str


class Said(NamedTuple):
    """What a test job has told: its exit code, and the last words of its command.

    `opened` are the places (gres_index) whose device files it could open, `visible` the words of
    CUDA_VISIBLE_DEVICES.
    """

    code: int
    opened: tuple[int, ...]
    visible: tuple[str, ...]
    words: str = ""


class Trials(Protocol):
    """What test jobs do on this node, and what they tell. `name` is the run's."""

    def places(self) -> Mapping[int, Place]:
        """What slurmd has, by gres_index. Raises SlurmMigError."""

    def partition(self, node: NodeState) -> str:
        """Where they are submitted. Raises SlurmMigError where there is none."""

    def begin(self, name: str) -> str:
        """Make room for what they tell; the shell script of each. Raises SlurmMigError."""

    def said(self, name: str) -> Mapping[int, Said]:
        """What was told so far, by job. Raises SlurmMigError."""

    def end(self, name: str) -> None:
        """They may end: what they told is forgotten. Nothing to forget is no error."""


class Event(NamedTuple):
    """What is told: a phase begins, goes on (`text` says with what), or has ended."""

    phase: str
    goal: str
    state: str  # "begins", "goes on", "held", "ended", "failed"
    text: str = ""
    seconds: float = 0.0


class Options(NamedTuple):
    """How long jobs are waited for, and what becomes of a node that went back.

    After `timeout_s` nothing is changed and the node is given back; after `cancel_after_s` the
    jobs are cancelled. None: never. `register_s`: until slurmctld has what slurmd registers.
    `keep_what_failed`: a node that is as before stays drained, with a reason that says why; for
    whom nobody waits who could be told otherwise.
    `saved_s`: then slurmctld has surely saved what it was told; it does so some 5 s after.
    `smoke`: have test jobs run before the node takes others, within `smoke_s`; None: as the site
    has chosen.
    """

    timeout_s: float | None = None
    cancel_after_s: float | None = None
    register_s: float = 120.0
    saved_s: float = 8.0
    smoke: bool | None = None
    smoke_s: float = 120.0
    pause_s: float = 1.0
    first_pause_s: float = 0.1
    keep_what_failed: bool = False


def _quiet(_: Event) -> None:
    return None


class Pauses:
    """Pauses between looks, short at first; each is `growth` times the one before."""

    def __init__(
        self, options: Options, sleep: Callable[[float], object], growth: float = 2.0
    ) -> None:
        self._next_s, self._longest_s, self._sleep = options.first_pause_s, options.pause_s, sleep
        self._growth = growth

    def pause(self) -> None:
        """Wait a little before the next look."""
        self._sleep(self._next_s)
        self._next_s = min(self._growth * self._next_s, self._longest_s)


class World(NamedTuple):
    """All of it."""

    root: Path
    client: SlurmClient
    gpus: Gpus
    slurmd: Slurmd
    publisher: Publisher
    trials: Trials
    options: Options = Options()
    tell: Callable[[Event], object] = _quiet
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep

    def pauses(self) -> Pauses:
        """Those of one wait."""
        return Pauses(self.options, self.sleep)

    def short_pauses(self) -> Pauses:
        """Those of a wait that is time out of service, and most often over in a second."""
        return Pauses(self.options._replace(first_pause_s=0.05), self.sleep, growth=1.25)
