"""What an apply is doing, on a terminal: one line on stderr that renews itself. Else nothing."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from slurm_mig.gpu.change.bounded import Progress, Watch


@contextmanager
def shown() -> Iterator[Watch]:
    """What is to be told each step before it is made; the line is gone when the block ends."""
    if not sys.stderr.isatty():
        yield _quiet
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    # Without its thread: the worker is a fork of this process, and a fork takes no threads along.
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:

        def watch(progress: Progress) -> None:
            count = f"[{progress.done + 1}/{progress.total}] " if progress.total else ""
            line = Text(f"{count}{progress.doing}", no_wrap=True, overflow="ellipsis")
            live.update(line, refresh=True)

        yield watch


def _quiet(_: Progress) -> None:
    return None
