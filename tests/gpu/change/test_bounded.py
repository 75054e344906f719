"""Work in a process that can be killed: every way in which it can end."""

import os
import signal
import subprocess
import sys
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


HEAD = """
import multiprocessing, os, signal, sys, time
from slurm_mig.gpu.change import bounded
from slurm_mig.gpu.change.bounded import Progress, WorkerLost, watched
unheard = lambda _: None
"""
CATCH = """
try:
    watched(work, {hear})
except WorkerLost as why:
    print(why, why.gone, flush=True)
"""


def script(text: str) -> subprocess.CompletedProcess[str]:
    """What a program of its own says to that, to its end."""
    command = [sys.executable, "-c", HEAD + text]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_an_interrupt_at_its_start_leaves_none_behind() -> None:
    done = script("""
os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGINT))
try:
    watched(lambda _: time.sleep(20), unheard)
except KeyboardInterrupt:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        print("none left")
""")
    assert (done.stdout, done.stderr) == ("none left\n", "")


def test_an_interrupt_of_the_terminal_s_whole_group_is_the_parent_s() -> None:
    done = script("""
os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGINT))
print(watched(lambda _: 7, unheard))
""")
    assert (done.stdout, done.stderr) == ("7\n", "")


# SIGKILL reaches nobody who is stuck in the kernel; SIGTERM is what multiprocessing sends at exit.
STUCK = """
class Stuck(multiprocessing.context.ForkProcess):
    def kill(self):
        pass
bounded._FORK.Process = Stuck
bounded._DEATH_S = 0.2
def work(pulse):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pulse(Progress("destroying"), 0.2)
    print(os.getpid(), flush=True)
    time.sleep(25)
"""


@pytest.mark.parametrize("interrupted", [False, True])
def test_one_that_is_stuck_in_the_kernel_holds_nobody_up(interrupted: bool) -> None:
    began = time.monotonic()
    hear = "lambda _: os.kill(os.getpid(), signal.SIGINT)" if interrupted else "unheard"
    with subprocess.Popen(
        [sys.executable, "-c", f"{HEAD}{STUCK}{CATCH.format(hear=hear)}"], stderr=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        try:
            assert process.stdout.readline().endswith(
                "stuck in the kernel: reboot the node False\n"
            )
            assert process.wait(10) == 0
        finally:
            os.kill(pid, signal.SIGKILL)
    assert time.monotonic() - began < 10


def test_where_no_process_can_be_started() -> None:
    done = script("""
def fork():
    raise BlockingIOError(11, "Resource temporarily unavailable")
os.fork = fork
try:
    watched(lambda _: 7, unheard)
except bounded.SlurmMigError as why:
    print(why)
""")
    assert done.stdout == "no process could be started: Resource temporarily unavailable\n"


def test_one_whose_parent_is_gone_says_nothing() -> None:
    done = script("""
def work(pulse):
    time.sleep(0.3)
    return 7
if os.fork() == 0:
    os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGKILL))
    watched(work, unheard)
os.wait()
time.sleep(0.8)
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
