"""Tests of what waits for signals, each in a process that has no other thread."""

import functools
import os
import traceback
from collections.abc import Callable
from typing import ParamSpec

Given = ParamSpec("Given")


def alone(test: Callable[Given, None]) -> Callable[Given, None]:
    """In a process of its own: other threads, as pytest-xdist has, would get the signals."""

    @functools.wraps(test)
    def forked(*words: Given.args, **more: Given.kwargs) -> None:
        if (pid := os.fork()) == 0:
            code = 1
            try:
                test(*words, **more)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    return forked
