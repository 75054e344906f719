"""The daemon itself: woken, killed, hung, stopped; and what a person sees of it."""

import json
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slurm_mig.usage import sums
from tests.sim.api import Sim
from tests.usage.monitor.daemons import Node, Systemd, monitor, once, stop, until

FAST = ("--period", "0.2")


@pytest.fixture
def node(new_sim: Callable[..., Sim]) -> Node:
    return Node(new_sim("h100-80gb=3g.40gb@4/2x1g.10gb"))


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    listener = Systemd(tmp_path)
    yield listener
    listener.close()


def test_killed_midway_it_goes_on_with_a_gap(node: Node) -> None:
    name = node.begin(7, 0)
    with node.sim.running(node.slices[0].uuid, memory="2GiB,1MiB@2", activity=0.5):
        with monitor(node.sim, *FAST) as first:
            node.wait_samples(name, 5)
            first.send_signal(signal.SIGKILL)
            first.wait()
        before = node.sums(name)
        assert before is not None
        with monitor(node.sim, *FAST) as second:
            until(lambda: node.value(name, sums.GAPS) == 1, "gap")
            node.wait_samples(name, 5)
            said = stop(second)
    after = node.sums(name)
    assert after is not None
    row, old = after.slices[0], before.slices[0]
    assert row[sums.SAMPLES] >= old[sums.SAMPLES] + 6
    assert row.stat(sums.MEMORY).high >= 2048
    assert row.stat(sums.PROCESSES).high == 1
    assert row.stat(sums.ACTIVITY + sums.STAT).high == pytest.approx(0.5, abs=0.05)
    assert row[sums.GAP_S] > 0
    assert said == ""


def test_asleep_it_asks_nothing_and_a_job_wakes_it(node: Node, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    node.sim.trace(trace)
    # A period so long that only the job itself can have woken it, and have been sampled at once.
    with monitor(node.sim, "--period", "600") as process:
        lock = node.run / "monitor.lock"
        until(lock.exists, "lock")
        until(lambda: (node.run / "usage").exists(), "folder")
        name = node.begin(7, 1)
        until(lambda: node.value(name, sums.SAMPLES) == 1, "first sample")
        second = node.begin(8, 2)
        until(lambda: node.value(second, sums.SAMPLES) == 1, "first sample of another job")
        assert node.value(name, sums.SAMPLES) == 1
        calls = trace.read_text()
        assert "nvmlShutdown" not in calls
        node.end(7)
        node.end(8)
        until(lambda: "nvmlShutdown" in trace.read_text(), "end of the session")
        until(lambda: not list((node.run / "usage").iterdir()), "files removed")
        stop(process)
    pids = {line.split()[0] for line in calls.splitlines()}
    assert pids == {str(process.pid)}
    node.sim.trace(None)


def test_systemd_hears_of_it_only_while_nvml_answers(node: Node, systemd: Systemd) -> None:
    name = node.begin(7, 0)
    with monitor(node.sim, *FAST, environ=systemd.environ) as process:
        assert systemd.hear()["READY"] == "1"
        node.wait_samples(name, 2)
        assert {"WATCHDOG": "1", "STATUS": "sampling, 1 jobs"} in systemd.hear_all()
        node.sim.fault("nvmlDeviceGetMemoryInfo", hang_ms=600_000, once=False)
        while systemd.hear(limit_s=2.5):  # until it hangs, which nothing ends
            pass
        assert process.poll() is None
        process.send_signal(signal.SIGABRT)  # what the watchdog does
        process.wait()
    node.sim.clear_faults()
    with monitor(node.sim, *FAST, environ=systemd.environ) as process:
        until(lambda: node.value(name, sums.GAPS) == 1, "gap")
        stop(process)
    assert systemd.hear_all()[-1] == {"STOPPING": "1"}


def test_systemd_hears_of_it_while_it_sleeps(node: Node, systemd: Systemd) -> None:
    with monitor(node.sim, environ=systemd.environ) as process:
        assert systemd.hear()["READY"] == "1"
        for _ in range(2):
            assert systemd.hear() == {"WATCHDOG": "1", "STATUS": "asleep, 0 jobs"}
        stop(process)


def test_without_a_driver_it_waits_for_one(node: Node, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    node.sim.trace(trace)
    for call in ("nvmlInit_v2", "nvmlInitWithFlags"):
        node.sim.fault(call, code="DRIVER_NOT_LOADED", once=False)
    name = node.begin(7, 0)
    with monitor(node.sim, *FAST) as process:
        until(lambda: trace.exists() and trace.read_text().count("Init") > 1, "second try")
        node.sim.clear_faults()
        node.wait_samples(name, 1)
        said = stop(process)
    assert re.search(r"failing: .*modprobe nvidia", said)
    assert "sampling again" in said


def test_a_second_one_is_refused(node: Node) -> None:
    with monitor(node.sim) as first:
        until((node.run / "usage").exists, "folder")
        with monitor(node.sim) as second:
            _, said = second.communicate(timeout=60)
        assert second.returncode == 1
        assert "another monitor runs on this node" in said
        stop(first)


def test_once_shows_what_there_is_and_writes_nothing(node: Node) -> None:
    assert once(node.sim).stdout == "no job holds a slice\n"
    node.begin(7, 0)
    with node.sim.running(node.slices[0].uuid, memory="2GiB", activity=0.5):
        shown, told = once(node.sim), once(node.sim, "--json")
    assert (shown.returncode, told.returncode) == (0, 0), shown.stderr + told.stderr
    title, line, gpu = shown.stdout.splitlines()
    assert title.split()[:3] == ["job", "user", "slice"]
    found = re.split(r"\s{2,}", line.strip())
    assert found[:2] == ["7", "root"]
    assert found[3] == node.slices[0].profile
    assert "50%" in found
    assert re.fullmatch(r"gpu0: \d+ W, all of it", gpu)
    data = json.loads(told.stdout)
    assert (data["version"], data["state"], data["rounds"]) == (1, "sampling", 2)
    (one,) = data["slices"]
    assert one["memory_mib"] > 2048
    assert one["activity"]["sm"] == pytest.approx(0.5, abs=0.05)
    assert len(one["processes"]) == 1
    assert not (node.run / "usage").exists()


def test_once_says_what_fails(node: Node) -> None:
    node.begin(7, 0)
    node.sim.lose(0)
    done = once(node.sim)
    assert done.returncode == 1
    assert "slurm-mig: failing: " in done.stderr
    assert "?" in done.stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--period", "0"), "from 0.2 to 600"),
        (("--period", "x"), "not a valid float"),
        (("--json",), "--json goes with --once"),
    ],
)
def test_a_wrong_command_line(node: Node, words: tuple[str, ...], why: str) -> None:
    with monitor(node.sim, *words) as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert why in said


def test_a_wrong_setting_refuses(node: Node) -> None:
    folder = node.sim.root / "etc/slurm-mig"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("[monitor]\nperiod_s = 0\n")
    with monitor(node.sim) as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "period_s: write a number of seconds" in said
