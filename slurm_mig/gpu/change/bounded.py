"""Work that may hang in the driver, done by a process of its own that can be killed.

NVML has no timeouts: a call can stay in the kernel for ever, and no thread gets out of that. So a
worker does the calls, and says beforehand what it does and how long that may take at most.
docs/decisions/0006-a-worker-that-can-be-killed.md.
"""

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess, _children  # type: ignore[attr-defined]
from typing import Any, NamedTuple, Protocol, TypeVar

from slurm_mig.errors import SlurmMigError

T = TypeVar("T")
_FORK = multiprocessing.get_context("fork")
_DEATH_S = 5.0  # from SIGKILL to the end of a process that is not stuck in the kernel
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_held: list[int] = []
_STUCK = "stuck in the kernel: reboot the node"
_START_S = 30.0  # until a worker first says what it does


class Progress(NamedTuple):
    """What is done next, in words, and how many of how many steps are done."""

    doing: str
    done: int = 0
    total: int = 0


class Pulse(Protocol):
    """How a worker says what it does next, and how many seconds that may take."""

    def __call__(self, progress: Progress, at_most_s: float) -> None: ...


Work = Callable[[Pulse], T]
Watch = Callable[[Progress], object]


class WorkerLost(SlurmMigError):
    """The worker did not come to its end: killed by us for its silence, or by somebody.

    `gone` is false when it is stuck in the kernel, so that its last call may still take effect.
    """

    def __init__(self, doing: str, how: str, gone: bool) -> None:
        super().__init__(f"{doing}: {how}")
        self.doing = doing
        self.gone = gone


class Runner(Protocol):
    """Does work, in whatever process, and answers what the work answers."""

    def __call__(self, work: Work[T], watch: Watch) -> T: ...


def here(work: Work[T], watch: Watch) -> T:
    """In this process, without bounds."""

    def pulse(progress: Progress, at_most_s: float) -> None:
        watch(progress)

    return work(pulse)


def watched(work: Work[T], watch: Watch) -> T:
    """In a process of its own, killed when it is silent for longer than it said.

    Its answer and its errors come back by pickle. Raises WorkerLost. Nothing of the driver's may
    be open here: a fork would share it. When this process dies, the worker makes no change more.
    """
    ours, theirs = _FORK.Pipe()
    # An interrupt between the fork and `try` would leave a worker that goes on unheard.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
    worker = _FORK.Process(target=_work, args=(work, theirs, ours, mask), daemon=True)
    try:
        _start(worker)
        theirs.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        answer: T = _listen(worker, ours, watch)
        return answer
    except BaseException as why:
        _end(worker, ours, why)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        ours.close()
        theirs.close()
        _reap(worker)


def _start(worker: BaseProcess) -> None:
    try:
        worker.start()
    except OSError as why:
        raise SlurmMigError(f"no process could be started: {why.strerror}") from None


def held() -> tuple[int, ...]:
    """In a worker: what the programs that it starts must inherit, so that their end is awaited."""
    return tuple(_held)


def _end(worker: BaseProcess, ours: "Connection[Any, Any]", why: BaseException) -> None:
    """Have it ended. WorkerLost where it cannot be: nothing may be built on what it left."""
    if worker.pid is None or isinstance(why, SlurmMigError):
        return  # it said so at its end, or it was ended
    if not _ended(worker, ours):
        raise WorkerLost(str(why) or "interrupted", _STUCK, gone=False) from why


def _ended(worker: BaseProcess, ours: "Connection[Any, Any]") -> bool:
    """Whether it could be ended, and with it the program (a reset) that it had started."""
    worker.kill()
    worker.join(_DEATH_S)
    end = time.monotonic() + _DEATH_S
    while ours.poll(max(0.0, end - time.monotonic())):
        try:
            ours.recv()
        except (EOFError, OSError):  # nobody has the other side any more
            return worker.exitcode is not None
    return False


def _reap(worker: BaseProcess) -> None:
    if worker.pid is None:
        return
    worker.join(_DEATH_S)
    if worker.exitcode is None:  # multiprocessing would wait for it at our end, without bound
        _children.discard(worker)


def _listen(worker: BaseProcess, ours: "Connection[Any, Any]", watch: Watch) -> Any:  # noqa: ANN401
    doing, end = "starting", time.monotonic() + _START_S
    while ours.poll(max(0.0, end - time.monotonic())):
        try:
            kind, *more = ours.recv()
        except EOFError:
            worker.join(_DEATH_S)
            raise WorkerLost(doing, _death(worker), gone=True) from None
        if kind == "answer":
            return more[0]
        if kind == "error":
            raise more[0]
        if kind == "bug":
            raise RuntimeError(f"in the worker:\n{more[0]}")
        progress, at_most_s = more
        doing, end = progress.doing, time.monotonic() + at_most_s
        watch(progress)
    gone = _ended(worker, ours)
    how = "no answer in time" if gone else f"no answer, and {_STUCK}"
    raise WorkerLost(doing, how, gone)


def _death(worker: BaseProcess) -> str:
    code = worker.exitcode
    if code is None or code >= 0:
        return f"the worker ended with {code}"
    return f"the worker was killed by {signal.Signals(-code).name}"


def _work(
    work: Work[T],
    theirs: "Connection[Any, Any]",
    ours: "Connection[Any, Any]",
    mask: set[signal.Signals],
) -> None:
    ours.close()  # else this process itself would keep the pipe open when the other one dies
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's goes to both: the parent acts
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    _held.append(theirs.fileno())
    answer: tuple[str, object]
    try:
        answer = ("answer", work(lambda progress, at_most_s: _tell(theirs, progress, at_most_s)))
    except SlurmMigError as why:
        answer = ("error", why)
    except BaseException:
        answer = ("bug", traceback.format_exc())
    with suppress(OSError):  # nobody is there any more who would hear it
        theirs.send(answer)
    theirs.close()
    os._exit(0)  # nothing of the parent's is to be cleaned up here


def _tell(theirs: "Connection[Any, Any]", progress: Progress, at_most_s: float) -> None:
    try:
        theirs.send(("pulse", progress, at_most_s))
    except OSError:
        os._exit(1)  # nobody listens any more: the change that would be next is not made
