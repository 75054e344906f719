"""Work in a process that can be killed: every way in which it can end."""

import os
import signal
import time
from pathlib import Path

import pytest

from slurm_mig.errors import NvmlError, Refused
from slurm_mig.gpu.change.bounded import Progress, Pulse, Runner, WorkerLost, here, watched
from tests.hooks.killing import dies

RUNNERS = pytest.mark.parametrize("run", [here, watched])


def unheard(_: Progress) -> None:
    """Nobody listens."""


@RUNNERS
def test_what_the_work_answers(run: Runner) -> None:
    def work(pulse: Pulse) -> tuple[int, str]:
        pulse(Progress("adding", 0, 2), 5)
        pulse(Progress("more", 1, 2), 5)
        return 7, "seven"

    heard: list[Progress] = []
    assert run(work, heard.append) == (7, "seven")
    assert heard == [Progress("adding", 0, 2), Progress("more", 1, 2)]


@RUNNERS
def test_its_errors_come_whole(run: Runner) -> None:
    def refuse(_: Pulse) -> None:
        raise Refused("nothing was changed", ["one", "two"])

    def fail(_: Pulse) -> None:
        raise NvmlError("GPU 0: in use", 19)

    with pytest.raises(Refused) as refused:
        run(refuse, unheard)
    assert (refused.value.what, refused.value.problems) == ("nothing was changed", ("one", "two"))
    with pytest.raises(NvmlError) as failed:
        run(fail, unheard)
    assert (str(failed.value), failed.value.code) == ("GPU 0: in use", 19)


def test_a_bug_comes_with_its_traceback() -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        watched(lambda _: 1 / 0, unheard)


def test_it_is_done_in_another_process() -> None:
    assert watched(lambda _: os.getpid(), unheard) != os.getpid()


def test_silence_has_an_end() -> None:
    def hang(pulse: Pulse) -> None:
        pulse(Progress("destroying"), 0.2)
        time.sleep(60)

    began = time.monotonic()
    with pytest.raises(WorkerLost, match="destroying: no answer in time") as lost:
        watched(hang, unheard)
    assert lost.value.gone
    assert time.monotonic() - began < 5


def test_each_step_has_its_own_time() -> None:
    def slow(pulse: Pulse) -> str:
        for _ in range(4):
            pulse(Progress("slowly"), 0.5)
            time.sleep(0.2)
        return "done"

    assert watched(slow, unheard) == "done"


def test_one_that_was_killed() -> None:
    def die(pulse: Pulse) -> None:
        pulse(Progress("creating"), 5)
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(WorkerLost, match="creating: the worker was killed by SIGKILL"):
        watched(die, unheard)


def test_when_nobody_listens_any_more_no_step_is_made(tmp_path: Path) -> None:
    """kill -9 of the command itself: its worker ends before the next change."""
    made = tmp_path / "made"

    def work(pulse: Pulse) -> None:
        for number in range(100):
            pulse(Progress("a step"), 5)
            made.write_text(f"{number}\n")
            time.sleep(0.02)

    def command() -> None:
        watched(work, lambda _: os.kill(os.getpid(), signal.SIGKILL) if made.exists() else None)

    assert dies(command)
    time.sleep(0.3)
    assert int(made.read_text()) <= 2


def test_an_interrupt_ends_it() -> None:
    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    def work(pulse: Pulse) -> None:
        pulse(Progress("a step"), 60)
        time.sleep(60)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        watched(work, interrupt)
    assert time.monotonic() - began < 5
