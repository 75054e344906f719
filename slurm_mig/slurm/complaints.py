"""What a failed Slurm command means: not answered, refused, or no such node. Pure.

Source: slurm_errno.c of 22.05, 24.11 and 26.05, and what these print with slurmctld stopped.
"""

import re

from slurm_mig.errors import NoSuchNode, SlurmError, SlurmNotAnswering, SlurmRefused

# The question never arrived.
_UNSENT = re.compile(
    r"connect failure|Connection refused|standby mode|Communication connection failure"
    r"|No route to host|Host is down|Network is unreachable"
    r"|[Mm]unge encode failed|munge\.socket|Failed to initialize auth",
)
_UNANSWERED = re.compile(
    r"Unable to contact slurm controller|timed out|Zero Bytes were transmitted"
    r"|Message (?:send|receive) failure|Communication shutdown|Connection reset|Broken pipe"
    r"|Protocol authentication error|Transport endpoint is not connected"
    r"|Resource temporarily unavailable|is powering down|Unable to establish control",
)
_NO_NODE = re.compile(r"Node \S+ not found|[Ii]nvalid node name")


def failure(command: str, code: int, said: str) -> SlurmError:
    """The error for a command that ended with `code` and these words."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    # The last line has the errno's text, the one before it often the reason.
    text = f"`{command}` failed with {code}: {'; '.join(lines[-2:]) or 'it said nothing'}"
    if _UNSENT.search(said):
        return SlurmNotAnswering(text, unsent=True)
    if _UNANSWERED.search(said):
        return SlurmNotAnswering(text)
    if _NO_NODE.search(said):
        return NoSuchNode(text)
    return SlurmRefused(text)
