"""Run a hook in a process of its own that dies, as by kill -9, at the n-th line it comes to."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

# The modules in which something is written.
WRITERS = ("registry", "closing", "rootfiles", "claims", "finale", "jobmaps", "dead", "prolog")


def deaths(scene: Callable[[], Callable[[], object]], step: int = 1) -> Iterator[int]:
    """For each line n, every `step`-th: `scene()` prepares and returns what then dies at line n.

    Ends when it came to its end before line n.
    """
    line = 1
    while _dies(scene(), line):
        yield line
        line += step


def _dies(act: Callable[[], object], line: int) -> bool:
    pid = os.fork()
    if pid == 0:
        _act(act, line)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the child failed by itself"
    return os.WIFSIGNALED(status)


def _act(act: Callable[[], object], line: int) -> None:
    left = line

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        module = frame.f_globals["__name__"].rpartition(".")[2]
        if event == "line" and module in WRITERS:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    code = 1
    try:
        sys.settrace(trace)
        act()
        code = 0
    finally:
        os._exit(code)
