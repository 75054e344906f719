"""What the monitor measured, in the records that hooks close: once, and of the right job."""

import json
import os
from typing import Any

from slurm_mig.usage import sums
from slurm_mig.usage.monitor import curve, handover
from slurm_mig.usage.monitor.handover import HandOver
from slurm_mig.usage.monitor.jobs import OpenJobs
from slurm_mig.usage.sums import JobSums
from tests.hooks.fakenode import BOOT_ID, FakeNode
from tests.hooks.killing import deaths
from tests.hooks.test_crash import Scenes

CHECK: dict[str, Any] = {"result": "exact", "extra": [], "missing": [], "why": None}


def measure(node: FakeNode, job_id: int, peak_mib: float) -> HandOver:
    """What a monitor has of an open job: one sample of each slice, and a look at its cgroup."""
    jobs = OpenJobs(str(node.root))
    (job,) = [one for one in jobs.look().values() if one.job_id == job_id]
    jobs.close()
    file = HandOver(handover.folder(str(node.root)), job, 5.0)
    for row in file.sums.slices:
        row[sums.SAMPLES], row[sums.METHOD] = 1.0, sums.BY_MEMORY_INFO
        row.stat(sums.MEMORY).see(peak_mib)
    file.write()
    file.put_devices(json.dumps(CHECK).encode())
    return file


def peaks(record: dict[str, Any]) -> list[float]:
    return [one["usage"]["memory"]["peak_mib"] for one in record["slices"]]


def left(node: FakeNode) -> list[str]:
    return sorted(path.name for path in (node.run / "usage").iterdir())


def test_without_a_monitor_it_is_null(node: FakeNode) -> None:
    assert node.prolog() == node.epilog() == 0
    (record,) = node.records()
    assert record["slices"][0]["usage"] is None
    assert (record["power"], record["device_check"]) == ([], None)


def test_the_epilog_takes_it_over_and_away(node: FakeNode) -> None:
    assert node.prolog(gpus="0,1") == 0
    measure(node, 7, 123.0)
    assert node.epilog(gpus="0,1") == 0
    (record,) = node.records()
    assert peaks(record) == [123.0, 123.0]
    assert record["device_check"] == CHECK
    assert record["slices"][0]["usage"]["coverage"] == 0.0
    assert left(node) == []


def test_the_curve_of_the_job_is_taken_over(node: FakeNode) -> None:
    assert node.prolog() == 0
    begun = json.loads((node.run / "jobs/7.json").read_text())["started_boottime_s"]
    file = measure(node, 7, 123.0)
    curve.see_memory(file.sums.slices[0], 123.4, begun + 1.25, 5.0)
    curve.see_memory(file.sums.slices[0], 5.0, begun + 31.0, 5.0)
    file.write()
    assert node.epilog() == 0
    (record,) = node.records()
    assert record["slices"][0]["usage"]["curve"] == {
        "from_s": 1.25,
        "bucket_s": 10.0,
        "memory_peak_mib": [123, None, 5],
        "sm_mean": None,
    }


def test_what_a_monitor_of_version_1_measured_is_taken_over(node: FakeNode) -> None:
    """slurm-mig was updated, and the monitor not started anew yet."""
    assert node.prolog() == 0
    file = measure(node, 7, 123.0)
    row = file.sums.slices[0]
    old = JobSums(bytearray(8 * (8 + sums.CURVE_FROM_S + sums.GPU)))  # as sums.new() was
    old.numbers[:8], old.numbers[0] = file.sums.numbers[:8], 5067093.0
    for at, value in enumerate(row.part(0, sums.CURVE_FROM_S)):
        old.numbers[8 + at] = value
    at, half = old.seal()
    (path,) = [path for path in (node.run / "usage").iterdir() if path.suffix != ".devices"]
    path.write_bytes(bytes(at) + half + bytes(old.size - at - len(half)))
    assert node.epilog() == 0
    (record,) = node.records()
    assert peaks(record) == [123.0]
    assert record["slices"][0]["usage"]["curve"] is None
    assert left(node) == []


def test_what_is_damaged_is_null_and_stops_nothing(node: FakeNode) -> None:
    assert node.prolog() == 0
    measure(node, 7, 1.0)
    for path in (node.run / "usage").iterdir():
        path.write_bytes(b"{" * 3000)
    assert node.epilog() == 0
    (record,) = node.records()
    assert record["slices"][0]["usage"] is record["device_check"] is None
    assert left(node) == []


def test_another_run_of_the_job_has_nothing_of_it(node: FakeNode) -> None:
    assert node.prolog() == 0
    measure(node, 7, 123.0)
    assert node.prolog(SLURM_JOB_RESTART_COUNT="1") == 0  # the first one's epilog never came
    assert node.epilog(SLURM_JOB_RESTART_COUNT="1") == 0
    first, second = node.records()
    assert peaks(first) == [123.0]
    assert second["slices"][0]["usage"] is None
    assert left(node) == []


def test_a_dead_jobs_figures_are_kept(node: FakeNode) -> None:
    assert node.prolog(7) == 0
    measure(node, 7, 55.0)
    assert node.prolog(8) == 0  # on the same slice: job 7 is gone
    (record,) = node.records()
    assert (record["job_id"], peaks(record)) == (7, [55.0])
    assert record["slices"][0]["usage"]["coverage"] is None


def test_a_new_map_removes_what_belongs_to_nobody(node: FakeNode) -> None:
    from slurm_mig.hooks import dead

    assert node.prolog(7) == node.prolog(8, "0") == 0
    for job in (7, 8):
        measure(node, job, 1.0)
    (node.run / "jobs/7.json").unlink()
    dead.sweep(str(node.root))
    assert [name.partition(".")[0] for name in left(node)] == ["8", "8"]


def test_an_epilog_that_is_killed_and_comes_again_tells_it_once(memory: Any) -> None:
    def before(node: FakeNode) -> None:
        node.prolog()
        measure(node, 7, 99.0)

    scenes = Scenes(memory, before)
    writers = ("registry", "closing", "rootfiles", "finale", "measured")
    for line in deaths(scenes(lambda node: node.epilog()), step=9, writers=writers):
        assert scenes.node.epilog() == 0
        (record,) = scenes.node.records()
        assert peaks(record) == [99.0], line


def test_fifty_six_epilogs_at_once_while_the_monitor_writes(node: FakeNode) -> None:
    node.gres = [node._slice(at, "1g.10gb", at // 7 + 10, at % 7 + 7, 0) for at in range(56)]
    node.write_map(gres=node.gres, boot_id=BOOT_ID)
    for gpu in range(10, 18):
        node.mknod(f"/dev/nvidia{gpu}", 195, gpu)
    files = []
    for job in range(1, 57):
        assert node.prolog(job, str(job - 1)) == 0
        files.append(measure(node, job, float(job)))
    children = []
    for job in range(1, 57):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = node.epilog(job, str(job - 1))
            finally:
                os._exit(code)
        children.append(pid)
    running = set(children)
    while running:
        for file in files:
            file.write()
        for pid in list(running):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                assert status == 0
                running.remove(pid)
    told = {record["job_id"]: peaks(record) for record in node.records()}
    assert told == {job: [float(job)] for job in range(1, 57)}
    assert left(node) == []
