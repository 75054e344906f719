"""What Slurm's commands are asked, in JSON where they have it, else in text."""

import secrets
from collections.abc import Callable, Sequence
from typing import Protocol

from slurm_mig.errors import NoSuchNode, SlurmRefused
from slurm_mig.slurm import gres_text, show_json, show_text
from slurm_mig.slurm.client import ACTIVE, Job, NodeState, unless_completing

Ask = Callable[[Sequence[str]], str]  # runs a command that asks slurmctld
_ACTIVE = "R,S,CG,CF,SO,RS,SI,ST"
_SQUEUE = ("squeue", "--all", "--local", "--noheader")


class Reads(Protocol):
    """The questions that change nothing. Names are checked and few enough for a command."""

    said_as: str

    def nodes(self, names: Sequence[str]) -> tuple[NodeState, ...]:
        """Those that there are of these; without names, all."""

    def jobs_on(self, name: str) -> tuple[Job, ...]:
        """As SlurmClient."""

    def pending_jobs(self) -> tuple[Job, ...]:
        """As SlurmClient."""


class JsonReads:
    """In the JSON of one version of Slurm's data_parser."""

    def __init__(self, ask: Ask, version: str) -> None:
        self._ask, self._json = ask, f"--json={version}"
        self.said_as = f"JSON {version}"

    def nodes(self, names: Sequence[str]) -> tuple[NodeState, ...]:
        """As Reads: Slurm answers an unknown name with an empty list, and no error."""
        which = [",".join(names)] if names else []
        return show_json.nodes(self._ask(["scontrol", "--all", "show", "node", *which, self._json]))

    def jobs_on(self, name: str) -> tuple[Job, ...]:
        """As SlurmClient."""
        text = self._ask([*_SQUEUE, f"--states={_ACTIVE}", f"--nodelist={name}", self._json])
        found = (show_json.job(each, name) for each in show_json.jobs(text))
        return tuple(unless_completing(job) for job in found)

    def pending_jobs(self) -> tuple[Job, ...]:
        """As SlurmClient."""
        text = self._ask([*_SQUEUE, "--states=PD", self._json])
        return tuple(show_json.job(each, None) for each in show_json.jobs(text))


class TextReads:
    """In text, as every release prints it."""

    said_as = "text"

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def nodes(self, names: Sequence[str]) -> tuple[NodeState, ...]:
        """As Reads."""
        show = ["scontrol", "--all", "--details", "--oneliner", "show", "node"]
        try:
            return show_text.nodes(self._ask([*show, ",".join(names)] if names else show))
        except NoSuchNode:
            if len(names) < 2:
                return ()
        # One that is not there fails the command: who of them is?
        return tuple(node for node in show_text.nodes(self._ask(show)) if node.name in names)

    def jobs_on(self, name: str) -> tuple[Job, ...]:
        """As SlurmClient."""
        found = self._jobs([f"--states={_ACTIVE}", f"--nodelist={name}"])
        # Of each: an exclusive job holds what it never asked for (and gres_used is empty
        # while a slurmctld that has just started waits for the node).
        asked = (self._holding(job, name) for job in found)
        return tuple(unless_completing(job) for job in asked if job.state in ACTIVE)

    def pending_jobs(self) -> tuple[Job, ...]:
        """As SlurmClient."""
        return self._jobs(["--states=PD"])

    def _jobs(self, which: Sequence[str]) -> tuple[Job, ...]:
        separator = f"x{secrets.token_hex(12)}"
        asked = [*_SQUEUE, *which, f"--format={show_text.job_format(separator)}"]
        found = show_text.jobs(self._ask(asked), separator)
        if not found:
            return ()
        more = [*_SQUEUE, *which, f"--Format={show_text.wanted_format(separator)}"]
        wanted = show_text.wanted(self._ask(more), separator)
        return tuple(_wanting(job, wanted.get(job.job_id)) for job in found)

    def _holding(self, job: Job, node: str) -> Job:
        show = ["scontrol", "--details", "--oneliner", "show", "job", job.shown]
        try:
            return job._replace(held=show_text.held(self._ask(show), job, node))
        except SlurmRefused:  # it is over, and forgotten
            return job._replace(state="COMPLETED")


def _wanting(job: Job, text: str | None) -> Job:
    # None: it ended, or began, between the two questions.
    if text is None:
        return job
    return job._replace(gres_wanted=gres_text.counts(gres_text.only_gres(text)))
