"""What happens when we are wrong: the traceback goes to a log, one line to the user."""

from pathlib import Path

from slurm_mig import __version__
from slurm_mig.cli.common import say

EXIT_BUG = 3


def report_bug(error: Exception) -> int:
    """Log `error` with its traceback and say where; returns the exit code of a bug."""
    import traceback  # here: no good run need wait for it

    text = f"slurm-mig {__version__}\n{''.join(traceback.format_exception(error))}"
    say(f"slurm-mig: this is a bug in slurm-mig: {error!r}")
    for note in getattr(error, "__notes__", ()):
        say(f"slurm-mig: {note}")
    try:
        say(f"The traceback is in {_write(text)}; please report it.")
    except OSError as why:
        say(f"The log could not be written ({why}); the traceback:\n{text}")
    return EXIT_BUG


def _write(text: str) -> Path:
    import tempfile

    # A fresh file of our own, readable to us only: /tmp is a folder that others write to.
    with tempfile.NamedTemporaryFile("w", prefix="slurm-mig-", suffix=".log", delete=False) as log:
        log.write(text)
    return Path(log.name)
