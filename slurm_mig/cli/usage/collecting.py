"""How far a collect is, on a terminal: one line on stderr that renews itself. Else nothing."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from slurm_mig.usage.store.collect import Collected, Watch


@contextmanager
def shown() -> Iterator[Watch]:
    """What is to be told each part. Never raises for a terminal that is gone."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield _quiet
        return
    from rich.console import Console

    status = Console(stderr=True).status("reading")

    def watch(done: Collected) -> None:
        with suppress(OSError):
            status.update(f"{done.new} new records from {done.files} files")

    with suppress(OSError):
        status.start()
    try:
        yield watch
    finally:
        with suppress(OSError):
            status.stop()


def _quiet(_: Collected) -> None:
    return None
