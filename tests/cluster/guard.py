"""Takes a cluster down when the process that wanted it is gone, however it went."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.node import CHECKOUT

DONE = b"done"


@contextlib.contextmanager
def watch(folder: Path) -> Iterator[None]:
    """While the block runs, another process waits for this one to die."""
    words = [sys.executable, "-m", "tests.cluster.guard", str(folder.absolute())]
    # A session of its own: Ctrl-C and a killed process group must not reach it.
    process = subprocess.Popen(words, stdin=subprocess.PIPE, cwd=CHECKOUT, start_new_session=True)
    try:
        yield
    finally:
        process.communicate(DONE)


def main(folder: Path) -> None:
    """Wait for the end of standard input; unless it said that all is done, clean up."""
    if sys.stdin.buffer.read() == DONE:
        return
    from tests.cluster.cluster import down
    from tests.cluster.machines import STATE

    if (folder / STATE).exists():
        down(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
