"""What an apply is doing, on a terminal: one line on stderr that renews itself. Else nothing."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from slurm_mig.gpu.change.bounded import Progress, Watch


@contextmanager
def shown() -> Iterator[Watch]:
    """What is to be told each step before it is made; the line is gone when the block ends.

    Never raises for a terminal that is gone: a change of GPUs does not stop half-way for that.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield _quiet
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    # Without its thread: the worker is a fork of this process, and a fork takes no threads along.
    live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)

    def watch(progress: Progress) -> None:
        count = f"[{progress.done + 1}/{progress.total}] " if progress.total else ""
        line = Text(f"{count}{progress.doing}", no_wrap=True, overflow="ellipsis")
        with suppress(OSError):
            live.update(line, refresh=True)

    with suppress(OSError):
        live.start()
    try:
        yield watch
    finally:
        with suppress(OSError):
            live.stop()


def _quiet(_: Progress) -> None:
    return None
