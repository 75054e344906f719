"""The words of Slurm's commands, and what may stand in them. Pure."""

import re

from slurm_mig.errors import UsageError
from slurm_mig.slurm.controller.client import Batch, reason_text
from slurm_mig.slurm.records.types import misread_node

_ACTION = re.compile(r"\w[\w.+-]*", re.ASCII)
_JOB_MIB = 256  # of a batch job: a shell and a small Python, the step's own process beside them


def update(name: str, *pairs: str) -> list[str]:
    """What changes a node."""
    return ["scontrol", "update", f"nodename={checked(name)}", *pairs]


def power_action(name: str | None) -> list[str]:
    """Which action a reboot is to be. Raises UsageError."""
    if name is not None and _ACTION.fullmatch(name) is None:
        raise UsageError(f"{name!r} is no name of a PowerAction: letters, digits and . + - _")
    return [] if name is None else [f"action={name}"]


def sbatch(batch: Batch) -> list[str]:
    """What submits a job."""
    words = ["sbatch", "--parsable", "--no-requeue", "--chdir=/", "--output=/dev/null"]
    words += [f"--job-name={checked_word(batch.name)}", f"--nodelist={checked(batch.node)}"]
    words += [f"--partition={batch.partition}", f"--reservation={checked_word(batch.reservation)}"]
    words += ["--ntasks=1", f"--mem={_JOB_MIB}M", f"--time={batch.limit_minutes}"]
    return [*words, f"--gres={batch.gres}", f"--wrap={batch.script}"]


def checked(name: str) -> str:
    """The name of one node: "n[1-4]" and ALL would be more. Raises UsageError."""
    if (why := misread_node(name)) or name.upper() == "ALL":
        raise UsageError(f"{name!r} is not the name of one node: {why or 'it means all of them'}")
    return name


def checked_word(name: str) -> str:
    """The name of a reservation or a job of ours. Raises UsageError for more than a word."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,100}", name):
        raise UsageError(f"{name!r} is no word that we would name a reservation or a job with")
    return name


def checked_reason(reason: str) -> str:
    """As Slurm will keep it. Raises UsageError for none."""
    text = reason_text(reason)
    if not text:
        raise UsageError("Slurm takes no node out of service without a reason")
    return text
