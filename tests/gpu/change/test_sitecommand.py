"""A site's commands, the good and the bad: each ends, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from slurm_mig.errors import CommandError
from slurm_mig.gpu.change.sitecommand import SAFE_PATH, Done, filled, must, run

Script = Callable[[str], str]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """`script("echo a")`: the path of a shell script with these lines."""
    count = iter(range(100))

    def write(text: str) -> str:
        path = tmp_path / f"script{next(count)}"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return write


def lives(pid: int) -> bool:
    """Whether that process runs, zombies apart."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def wait_for(path: Path) -> int:
    """The number in a file that a script writes soon."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if path.exists() and (text := path.read_text().strip()):
            return int(text)
        time.sleep(0.01)
    raise AssertionError(f"{path} was never written")


def test_what_it_said_and_how_it_ended(script: Script) -> None:
    assert run([script("echo out; echo err >&2; exit 3")], 10) == Done(3, "out\nerr\n")


def test_a_failure_is_told_with_its_last_line(script: Script) -> None:
    command = script("echo first; echo 'the reason' >&2; echo; exit 4")
    with pytest.raises(CommandError, match=rf"`{command} x` failed with 4: the reason$"):
        must([command, "x"], 10)


def test_a_silent_failure_and_a_signal(script: Script) -> None:
    with pytest.raises(CommandError, match=r"failed with 1: it said nothing$"):
        must([script("exit 1")], 10)
    with pytest.raises(CommandError, match="failed with signal 9"):
        must([script("kill -9 $$")], 10)


def test_words_are_words(script: Script) -> None:
    command = script('for word; do echo "<$word>"; done')
    assert run([command, "a b", "$(id)", "*", ";x"], 10).said == "<a b>\n<$(id)>\n<*>\n<;x>\n"


def test_it_gets_nothing_of_ours(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD_X", "1")
    monkeypatch.setenv("PATH", "/nowhere")
    said = run([script("pwd; cat; env; ls -l /proc/$$/fd | wc -l")], 10).said.splitlines()
    names = {line.partition("=")[0] for line in said[1:-1]}
    assert said[0] == "/"
    assert names - {"PWD", "_", "SHLVL", "OLDPWD"} == {"PATH", "LC_ALL"}
    assert f"PATH={SAFE_PATH}" in said
    assert int(said[-1]) <= 5  # "total", three descriptors, and the shell's own for the script


def test_a_program_is_not_found_in_the_caller_s_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Script
) -> None:
    name = Path(script("echo evil")).name
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError, match=rf"{name} is not installed \(looked in /usr/local"):
        run([name], 10)


def test_what_cannot_be_started(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("#!/nowhere/sh\n")
    (tmp_path / "bad").chmod(0o755)
    with pytest.raises(CommandError, match="could not be started"):
        run([str(tmp_path / "bad")], 10)


def test_one_that_hangs_is_killed_with_its_children(script: Script, tmp_path: Path) -> None:
    child = tmp_path / "child"
    command = script(f"trap '' TERM; sleep 100 & echo $! > {child}; wait; sleep 100")
    begin = time.monotonic()
    with pytest.raises(CommandError, match=r"did not end within 0\.5 s, and was killed"):
        run([command], 0.5)
    assert time.monotonic() - begin < 5
    pid = wait_for(child)
    end = time.monotonic() + 5
    while lives(pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert not lives(pid)


def test_one_that_forks_a_daemon_keeps_nobody_waiting(script: Script, tmp_path: Path) -> None:
    child = tmp_path / "child"
    command = script(f"sleep 100 & echo $! > {child}; echo started")
    begin = time.monotonic()
    assert run([command], 30) == Done(0, "started\n")
    assert time.monotonic() - begin < 10
    pid = wait_for(child)
    assert lives(pid)  # a daemon that was to be started lives on
    os.kill(pid, signal.SIGKILL)


def test_one_that_closes_its_output_is_still_waited_for(script: Script) -> None:
    assert run([script("exec >&- 2>&-; sleep 0.2; exit 7")], 30) == Done(7, "")


def test_one_that_never_stops_talking(script: Script) -> None:
    with pytest.raises(CommandError, match="did not end within"):
        run([script("yes")], 0.5)


def test_of_a_long_output_the_end_is_kept(script: Script) -> None:
    done = run([script("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo the end")], 30)
    assert done.reason == "the end"
    assert len(done.said) <= 1 << 16


def test_its_words_move_no_cursor(script: Script) -> None:
    with pytest.raises(CommandError) as error:
        must([script("printf '\\033[2Jhidden\\377'; exit 1")], 10)
    assert str(error.value).endswith("\\x1b[2Jhidden\\xff")


def test_an_interrupt_leaves_nothing_running(script: Script, tmp_path: Path) -> None:
    child = tmp_path / "child"
    command = script(f"echo $$ > {child}; exec sleep 100")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.7)
        with pytest.raises(KeyboardInterrupt):
            run([command], 30)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not lives(wait_for(child))


def test_the_place_is_filled_in_every_word() -> None:
    words = ("x", "{unit}", "--u={unit}")
    assert filled(words, "{unit}", "a.service") == ("x", "a.service", "--u=a.service")


NO_PIDFD = """
import os, sys
from slurm_mig.gpu.change.sitecommand import run
from slurm_mig.errors import CommandError
def none(pid):
    raise OSError(38, "Function not implemented")
os.pidfd_open = none
print(run(["sh", "-c", "echo one; sleep 0.1; echo two; exit 3"], 5))
print(run(["sh", "-c", "exec >&- 2>&-; sleep 0.1"], 5))
print(run(["sh", "-c", "sleep 5 & echo three"], 2))
try:
    run(["sleep", "20"], 0.2)
except CommandError as why:
    print(why)
"""


def test_a_kernel_before_5_3() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_PIDFD], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout.splitlines() == [
        "Done(code=3, said='one\\ntwo\\n')",
        "Done(code=0, said='')",
        "Done(code=0, said='three\\n')",
        "`sleep 20` did not end within 0.2 s, and was killed",
    ], done.stderr
