"""What an apply is doing, on a terminal: one line on stderr that renews itself. Else nothing."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from slurm_mig.gpu.bounded import Progress, Watch


@contextmanager
def shown() -> Iterator[Watch]:
    """What is to be told each step before it is made; the line is gone when the block ends."""
    if not sys.stderr.isatty():
        yield _quiet
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True)
    with console.status("looking at the GPUs") as status:

        def watch(progress: Progress) -> None:
            count = f"[{progress.done + 1}/{progress.total}] " if progress.total else ""
            status.update(escape(f"{count}{progress.doing}"))

        yield watch


def _quiet(_: Progress) -> None:
    return None
