"""What others are shown after each round, and that they cannot stop the daemon."""

import os
import signal

import pytest

from slurm_mig.errors import HookError, SlurmMigError
from slurm_mig.usage.monitor.clock import MachineClock
from slurm_mig.usage.monitor.daemon import Daemon
from slurm_mig.usage.monitor.notify import Notify
from slurm_mig.usage.monitor.snapshot import Sink, Snapshot
from tests.fake_usage import Step
from tests.usage.monitor.alone import alone
from tests.usage.monitor.scene import MakeScene, Scene


def run(node: Scene, *sinks: Sink) -> None:
    """The daemon, in this process, until a sink sends SIGTERM."""
    settings = node.settings._replace(period_s=0.2)
    Daemon(node.root, settings, node.machine.session, MachineClock(), Notify({}), sinks).run()


class Seen:
    """A sink that ends the daemon after so many snapshots."""

    def __init__(self, enough: int) -> None:
        self.snapshots: list[Snapshot] = []
        self._enough = enough

    def __call__(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)
        if len(self.snapshots) == self._enough:
            os.kill(os.getpid(), signal.SIGTERM)


@alone
def test_each_round_is_shown(scene: MakeScene) -> None:
    node = scene("h100-80gb=2x1g.10gb", "h100-80gb")
    node.begin(7, 0, 2)
    load = node.run(7, 0, Step(0, 100, 0.5))
    seen = Seen(3)
    run(node, seen)
    assert [one.state for one in seen.snapshots] == ["sampling"] * 3
    assert [one.rounds for one in seen.snapshots] == [1, 2, 3]
    last = seen.snapshots[-1]
    assert [one.name for one in last.slices] == ["gpu0.gi0.ci0", "gpu1"]
    assert [one.gpu_minor for one in last.gpus] == [0, 1]
    assert (last.jobs[0].job_id, last.jobs[0].user, last.period_s) == (7, "ada", 0.2)
    first, whole = last.slices
    assert first.memory_mib == 109
    assert first.processes is not None
    assert [one.pid for one in first.processes] == [load.pid]
    assert (whole.gi_id, whole.processes, whole.memory_mib) == (None, (), 1.0)
    assert (last.gpus[0].compute_slices, last.gpus[0].energy_j) == (7, 0.0)


@alone
def test_one_that_fails_stops_neither_the_others_nor_the_daemon(
    scene: MakeScene, capfd: pytest.CaptureFixture[str]
) -> None:
    def full(_: Snapshot) -> None:
        raise OSError(28, "No space left on device")

    def wrong(_: Snapshot) -> None:
        raise SlurmMigError("nobody listens")

    node, seen = scene("h100-80gb=1g.10gb"), Seen(2)
    node.begin(7, 0)
    run(node, full, wrong, seen)
    said = capfd.readouterr().err
    assert "No space left on device" in said
    assert "nobody listens" in said
    assert len(seen.snapshots) == 2


@alone
def test_who_sleeps_says_so_once(scene: MakeScene) -> None:
    node, seen = scene("h100-80gb=1g.10gb"), Seen(1)
    run(node, seen)
    (only,) = seen.snapshots
    assert (only.state, only.slices, only.gpus, only.jobs) == ("asleep", (), (), ())
    assert node.machine.sessions == 0


@alone
def test_now_and_then_a_sleeper_shows_what_is_new_of_the_node(scene: MakeScene) -> None:
    node, seen = scene("h100-80gb=1g.10gb"), Seen(3)

    def later(_: Snapshot) -> None:
        node.clock.now_s += 300.0

    # With such a watchdog it looks up ten times a second; it shows nothing each time.
    notify = Notify({"NOTIFY_SOCKET": f"{node.root}/nobody", "WATCHDOG_USEC": "300000"})
    settings = node.settings
    Daemon(node.root, settings, node.machine.session, node.clock, notify, (later, seen)).run()
    assert [one.state for one in seen.snapshots] == ["asleep"] * 3
    assert [one.boottime_s for one in seen.snapshots] == [1000.0, 1300.0, 1600.0]
    assert node.machine.sessions == 0


@alone
def test_when_the_last_job_goes_nothing_is_left_to_show(scene: MakeScene) -> None:
    node, seen = scene("h100-80gb=1g.10gb"), Seen(3)
    node.begin(7, 0)

    def leaves(snapshot: Snapshot) -> None:
        if len(seen.snapshots) == 1:
            node.end(7)

    run(node, leaves, seen)
    assert [len(one.slices) for one in seen.snapshots] == [1, 1, 0]
    assert seen.snapshots[-1].state == "asleep"
    assert node.machine.opened == 0


@alone
def test_two_at_a_time_are_refused(scene: MakeScene) -> None:
    node = scene("h100-80gb=1g.10gb")
    refused: list[str] = []

    def another(_: Snapshot) -> None:
        with pytest.raises(HookError) as error:
            run(node)
        refused.append(str(error.value))
        os.kill(os.getpid(), signal.SIGTERM)

    run(node, another)
    assert "another monitor runs" in refused[0]
