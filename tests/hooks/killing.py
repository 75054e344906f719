"""Run a hook in a process of its own that dies, as by kill -9, at the n-th line it comes to."""

import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator
from functools import partial
from types import FrameType
from typing import Any

# The modules in which something is written.
WRITERS = ("registry", "closing", "rootfiles", "claims", "finale", "jobmaps", "dead", "prolog")


def deaths(
    scene: Callable[[], Callable[[], object]], step: int = 1, writers: Collection[str] = WRITERS
) -> Iterator[int]:
    """For each line n, every `step`-th: `scene()` prepares and returns what then dies at line n.

    Lines of the modules `writers` count. Ends when it came to its end before line n.
    """
    line = 1
    while dies(partial(_act, scene(), line, writers)):
        yield line
        line += step


def dies(act: Callable[[], object]) -> bool:
    """Whether `act`, in a process of its own, was killed. AssertionError if it failed."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the child failed by itself"
    return os.WIFSIGNALED(status)


def _act(act: Callable[[], object], line: int, writers: Collection[str]) -> None:
    left = line

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if frame.f_globals.get("__name__", "").rpartition(".")[2] not in writers:
            return None  # its lines are not told, but whatever it calls is
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    act()
