"""Whether a job gets a comment now, and which. Pure.

The database itself is the ledger: a job that has a comment is left alone, so running this again,
or at two places, changes nothing more.
"""

from collections.abc import Mapping
from typing import NamedTuple

from slurm_mig.slurm.controller.accounting import AccountedJob
from slurm_mig.usage.jobstats.blob import (
    LONGEST,
    Blob,
    decode,
    encode,
    has_gpu_figures,
    has_host_figures,
    merged,
    summary,
)
from slurm_mig.usage.jobstats.parts import JobPart

GRACE_S = 3600.0
# How far a record's times may lie outside of what Slurm accounts: prologs begin before a job
# does, epilogs end after it, and two machines' clocks differ.
_SLACK_S = 120.0

_ONLY_JSON = "not for jobstats' page, only its --json: no figures of the host by node"


class Options(NamedTuple):
    """`grace_s` is how long after its end a job waits for the records of all its nodes.

    `force` changes comments that are there: in one of jobstats' the GPUs' figures are replaced
    and the host's kept, any other is replaced whole.
    """

    grace_s: float = GRACE_S
    force: bool = False
    dry_run: bool = False


class Decision(NamedTuple):
    """`action`: store, present, kept, waits or skipped; `why` for a person.

    `comment` is the text to store, `shown` the job's own name.
    """

    action: str
    why: str = ""
    comment: str = ""
    shown: str = ""


def decide(
    parts: Mapping[str, JobPart], job: AccountedJob | None, now: float, options: Options
) -> Decision:
    """What to do about a job; `parts` are its nodes', `job` what Slurm accounts of it."""
    if job is None:
        return Decision("waits", "Slurm's accounting does not know it")
    if job.end is None or job.start is None:
        return Decision("waits", "it has not ended")
    if not all(_is_of(part, job.start, job.end) for part in parts.values()):
        return Decision("skipped", "the records are of another run than the one Slurm accounts")
    missing = _missing(parts, job)
    if missing and now - job.end < options.grace_s:
        return Decision("waits", f"no record yet of {', '.join(missing)}")
    made = summary(parts.values(), job.end - job.start, job.host)
    if not has_gpu_figures(made):
        return Decision("skipped", "nothing was measured")
    told = f"without {', '.join(missing)}: no record" if missing else ""
    return _unless_there(job.comment, made, told, options)._replace(shown=job.shown)


def _unless_there(comment: str, made: Blob, told: str, options: Options) -> Decision:
    old = decode(comment)
    if old is not None:
        new = merged(old, made)
        if new == old:
            return Decision("present", "it is there")
        if not options.force:
            return Decision("kept", "it has a summary (--force puts the GPUs' figures in)")
        made = new
    elif comment and not options.force:
        return Decision("kept", "it has another comment (--force replaces it)")
    text = encode(made)
    if len(text) > LONGEST:
        why = f"the summary has {len(text)} letters, more than {LONGEST}"
        return Decision("skipped", why)
    if not has_host_figures(made):
        told = "; ".join(filter(None, (told, _ONLY_JSON)))
    return Decision("store", told, text)


def _missing(parts: Mapping[str, JobPart], job: AccountedJob) -> list[str]:
    """The nodes whose records are to come. A node may be of no interest: not every has GPUs."""
    if job.gpus is not None and sum(len(part.gpus) for part in parts.values()) >= job.gpus:
        return []
    return [name for name in job.nodes if name not in parts]


def _is_of(part: JobPart, start: float, end: float) -> bool:
    """Job ids come again after some years, and a job may have run once more unrecorded."""
    begun = part.start is None or start - _SLACK_S <= part.start <= end + _SLACK_S
    return begun and (part.end is None or part.end >= start - _SLACK_S)
