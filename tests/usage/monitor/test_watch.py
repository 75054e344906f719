"""Waiting for changes and signals: none is missed, and nothing is left behind."""

import os
import signal
from pathlib import Path

import pytest

from slurm_mig.usage.monitor.jobs import OpenJobs
from slurm_mig.usage.monitor.watch import CHANGED, STOP, Watch
from tests.usage.monitor.alone import alone


@alone
def test_a_new_file_wakes(memory: Path) -> None:
    folder = os.open(memory, os.O_RDONLY)
    with Watch() as watch:
        assert watch.over(folder)
        assert watch.wait(0.01) is None
        for change in (
            lambda: (memory / ".draft").write_text("x"),
            lambda: (memory / ".draft").rename(memory / "7.json"),
            lambda: (memory / "7.json").unlink(),
        ):
            change()
            assert watch.wait(60) == CHANGED
        assert watch.wait(0.01) is None
    os.close(folder)


@alone
def test_a_change_before_the_wait_is_not_missed(memory: Path) -> None:
    folder = os.open(memory, os.O_RDONLY)
    with Watch() as watch:
        watch.over(folder)
        for name in "abc":
            (memory / name).touch()
        assert watch.wait(60) == CHANGED  # one is enough: it is looked at all
        assert watch.wait(0.01) is None
    os.close(folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@alone
def test_a_signal_ends_it(number: signal.Signals) -> None:
    with Watch() as watch:
        os.kill(os.getpid(), number)
        assert watch.wait(60) == STOP


@alone
def test_afterwards_all_is_as_before(memory: Path) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    folder = os.open(memory, os.O_RDONLY)
    with Watch() as watch:
        watch.over(folder)
        (memory / "x").touch()  # nobody waits for it: it must not end us either
        os.close(folder)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, set()) == before


@alone
def test_no_time_is_no_wait() -> None:
    with Watch() as watch:
        assert watch.wait(-5.0) is None


@alone
def test_a_look_into_the_folder_does_not_end_it(memory: Path) -> None:
    folder = os.open(memory, os.O_RDONLY)
    with Watch() as watch:
        watch.over(folder)
        assert os.listdir(folder) == []  # noqa: PTH208
        (memory / "x").touch()
        assert watch.wait(60) == CHANGED
    os.close(folder)


@alone
def test_no_folder_cannot_be_watched(memory: Path) -> None:
    reader, writer = os.pipe()
    with Watch() as watch, pytest.raises(NotADirectoryError):
        watch.over(reader)
    os.close(reader)
    os.close(writer)


@alone
def test_looks_at_the_jobs_do_not_end_what_is_heard_of_them(tmp_path: Path) -> None:
    jobs = OpenJobs(str(tmp_path))
    with Watch() as watch:
        if not watch.over(jobs.folder):
            return  # a kernel without dnotify
        for number in range(3):
            jobs.look()
            (tmp_path / f"run/slurm-mig/jobs/{number}.json").touch()
            assert watch.wait(20) == CHANGED
            while watch.wait(0) == CHANGED:
                pass
    jobs.close()
