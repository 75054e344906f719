"""The Slurm port over Slurm's commands, of every release that we serve."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TypeVar

from slurm_mig.errors import NoSuchNode, SlurmError, SlurmRefused, UsageError
from slurm_mig.slurm import scontrol
from slurm_mig.slurm.controller import show_json, show_text
from slurm_mig.slurm.controller.cli_reads import Ask, JsonReads, Reads, TextReads
from slurm_mig.slurm.controller.cli_words import (
    checked,
    checked_reason,
    checked_word,
    power_action,
    sbatch,
    update,
)
from slurm_mig.slurm.controller.client import (
    Batch,
    Job,
    NodeState,
    Reservation,
)
from slurm_mig.slurm.controller.patience import CallS, Patience
from slurm_mig.slurm.version import SlurmVersion

T = TypeVar("T")
NAMES_ACTIONS = SlurmVersion(26, 5, 0)  # of `scontrol reboot`
_RESERVATIONS = ("scontrol", "--all", "--oneliner", "show", "reservation")
_OUT = {"DRAIN", "DOWN"}  # a node with one of these takes no jobs until it is resumed
_LONGEST = 60_000  # of a list of names in a command; with more, all nodes are asked for


class CliClient:
    """As slurm.client.SlurmClient. `path` is where the commands are looked for first.

    `as_text` keeps it from asking for JSON. Nothing is asked before it is first used.
    """

    def __init__(
        self, patience: Patience | None = None, path: str | None = None, *, as_text: bool = False
    ) -> None:
        self._patience = patience or Patience()
        self._path = path
        self._as_text = as_text

    def about(self) -> str:
        """As the port."""
        return f"Slurm's commands, {self._dialect(self._asking(lambda: 0.0)).said_as}"

    def version(self) -> SlurmVersion:
        """As the port."""
        said = self.config().get("slurm_version", "")
        try:
            return SlurmVersion.parse(said)
        except UsageError as why:
            raise SlurmError(f"`scontrol show config` tells no version: {why}") from None

    def config(self) -> Mapping[str, str]:
        """As the port. In text: 24.11 has no JSON of it, and says so with exit code 0."""
        return dict(show_text.config(self._again(["scontrol", "show", "config"])))

    def is_up(self) -> bool:
        """As the port. It is enough that a backup answers, which ping calls a failure."""
        return " is UP" in self._said(["scontrol", "ping"])

    def node(self, name: str) -> NodeState:
        """As the port."""
        return self.nodes([name])[0]

    def nodes(self, names: Sequence[str] | None = None) -> tuple[NodeState, ...]:
        """As the port."""
        if names is None:
            return self._read(lambda reads: reads.nodes([]))
        if not names:
            return ()
        asked = [checked(name) for name in names]
        which = asked if sum(map(len, asked)) + len(asked) < _LONGEST else []
        found = {node.name: node for node in self._read(lambda reads: reads.nodes(which))}
        if missing := [name for name in asked if name not in found]:
            raise NoSuchNode(f"slurmctld knows no node {', '.join(missing)}")
        return tuple(found[name] for name in asked)

    def jobs_on(self, name: str) -> tuple[Job, ...]:
        """As the port."""
        return self._read(lambda reads: reads.jobs_on(checked(name)))

    def pending_jobs(self) -> tuple[Job, ...]:
        """As the port."""
        return self._read(lambda reads: reads.pending_jobs())

    def drain(self, name: str, reason: str) -> None:
        """As the port."""
        self._again(update(name, "state=drain", f"reason={checked_reason(reason)}"))

    def down(self, name: str, reason: str) -> None:
        """As the port."""
        self._again(update(name, "state=down", f"reason={checked_reason(reason)}"))

    def set_reason(self, name: str, reason: str) -> None:
        """As the port."""
        self._again(update(name, f"reason={checked_reason(reason)}"))

    def resume(self, name: str) -> None:
        """As the port. slurmctld may refuse what it has done: a node that has not registered
        since slurmctld started is out of its drain all the same [seen: 22.05.8, 24.11.5].
        """
        try:
            self._end_drain(name)
        except SlurmRefused:
            if self.node(name).state & _OUT:
                raise

    def _end_drain(self, name: str) -> None:
        """A second one would be refused: after a lost answer it looks first."""
        words = update(name, "state=resume")
        self._once(words, lambda reads: _back(reads, name))

    def reconfigure(self) -> None:
        """As the port. Twice is no harm: the files are read twice."""
        self._again(["scontrol", "reconfigure"])

    def reboot(self, names: Sequence[str], reason: str, *, action: str | None = None) -> None:
        """As the port. Twice is no harm: who is rebooting is passed over."""
        which = ",".join(checked(name) for name in names)
        if not which:  # to Slurm that would be every node
            raise UsageError("no node to reboot was named")
        words = ["scontrol", "reboot", "ASAP", "nextstate=RESUME"]
        words += [f"reason={checked_reason(reason)}", *power_action(action), which]
        self._must_have_a_program(action)
        self._again(words)

    def cancel_reboot(self, name: str) -> None:
        """As the port. A second one would be refused: after a lost answer it looks first."""
        words = ["scontrol", "cancel_reboot", checked(name)]
        self._once(words, lambda reads: not _reboots(reads, name))

    def _must_have_a_program(self, action: str | None) -> None:
        """No release says so by itself: the node would go DOWN, and never come back."""
        version = self.version()
        if action is None and not self.config().get("rebootprogram"):
            raise SlurmRefused("no RebootProgram is set in slurm.conf: set it on all nodes")
        if action is not None and version < NAMES_ACTIONS:
            raise SlurmRefused(
                f"Slurm {version} knows no PowerAction: {NAMES_ACTIONS} is the first"
            )

    def create_node(self, name: str, settings: Mapping[str, str]) -> None:
        """As the port.

        For a node that is there 22.05 says nothing, and 24.11 refuses, but loses that node.
        """
        words = ["scontrol", "create", f"nodename={checked(name)}"]
        words += [f"{key}={value}" for key, value in settings.items()]
        if self._read(lambda reads: _is_there(reads, name)):
            raise SlurmRefused(f"node {name} already exists")
        self._once(words, lambda reads: _is_there(reads, name))

    def delete_node(self, name: str) -> None:
        """As the port. 22.05 would delete a node of slurm.conf that is idle, without a word."""
        words = ["scontrol", "delete", f"nodename={checked(name)}"]
        for node in self._read(lambda reads: reads.nodes([name])):
            if node.name == name and not node.is_dynamic:
                raise SlurmRefused(f"node {name} is slurm.conf's: only dynamic ones are deleted")
        self._once(words, lambda reads: not _is_there(reads, name))

    def cancel(self, job: Job) -> None:
        """As the port. By the number that is shown: an array's own number is all its tasks'."""
        self._again(["scancel", job.cancels_as])

    def reservations(self) -> tuple[Reservation, ...]:
        """As the port. In text: every release prints the same."""
        return show_text.reservations(self._again(_RESERVATIONS))

    def reserve(self, name: str, node: str) -> None:
        """As the port. MAINT lies over others' reservations, IGNORE_JOBS over what runs."""
        words = ["scontrol", "create", "reservation", f"reservationname={checked_word(name)}"]
        words += [f"nodes={checked(node)}", "users=root", "starttime=now", "duration=UNLIMITED"]
        words += ["flags=MAINT,IGNORE_JOBS"]
        self._patience.change(
            lambda call_s: self._asking(call_s)(words),
            lambda call_s: _is_reserved(self._asking(call_s), name),
        )

    def release(self, name: str) -> None:
        """As the port."""
        words = ["scontrol", "delete", f"reservationname={checked_word(name)}"]
        try:
            self._again(words)
        except SlurmRefused:
            if self._patience.read(lambda call_s: _is_reserved(self._asking(call_s), name)):
                raise

    def submit(self, batch: Batch) -> int:
        """As the port."""
        said: list[str] = []

        def look(call_s: CallS) -> bool:
            which = ["--states=all", f"--name={batch.name}", "--format=%A"]
            said[:] = self._asking(call_s)(["squeue", "--all", "--local", "-h", *which]).split()
            return bool(said)

        def ask(call_s: CallS) -> None:
            said[:] = [self._asking(call_s)(sbatch(batch)).partition(";")[0].strip()]

        self._patience.change(ask, look)
        if not said or not said[0].isdecimal():
            raise SlurmError(f"`sbatch` told no number of job {batch.name}")
        return int(said[0])

    @cached_property  # 22.05 says "unrecognized option": no format
    def _dialect(self) -> Callable[[Ask], Reads]:
        found = (
            None
            if self._as_text
            else show_json.best_format(self._said(["scontrol", "--json=list"]))
        )
        return (lambda ask: JsonReads(ask, found)) if found else TextReads

    def _said(self, words: Sequence[str]) -> str:
        try:
            return scontrol.both_streams(words, self._path)
        except SlurmError:  # not installed, or not in time
            return ""

    def _read(self, question: Callable[[Reads], T]) -> T:
        return self._patience.read(lambda call_s: question(self._dialect(self._asking(call_s))))

    def _asking(self, call_s: CallS) -> Ask:
        return lambda words: scontrol.ask(words, call_s(), self._path)

    def _again(self, words: Sequence[str]) -> str:
        """What may be done twice, or changes nothing."""
        return self._patience.read(lambda call_s: self._asking(call_s)(words))

    def _once(self, words: Sequence[str], done: Callable[[Reads], bool]) -> None:
        """What is looked for before it is done again."""
        self._patience.change(
            lambda call_s: self._asking(call_s)(words),
            lambda call_s: done(self._dialect(self._asking(call_s))),
        )


def _is_reserved(ask: Ask, name: str) -> bool:
    return any(one.name == name for one in show_text.reservations(ask(_RESERVATIONS)))


def _is_there(reads: Reads, name: str) -> bool:
    return any(node.name == name for node in reads.nodes([name]))


def _back(reads: Reads, name: str) -> bool:
    nodes = [node for node in reads.nodes([name]) if node.name == name]
    return any(not node.state & _OUT for node in nodes)


def _reboots(reads: Reads, name: str) -> bool:
    return any("REBOOT_REQUESTED" in node.state for node in reads.nodes([name]))
