"""Whether a job's cgroup admits exactly its slices, on a tree of files; real ones: tests/cluster.

On a tree nothing is denied: a slice that cannot be opened is one whose files are not there.
"""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from slurm_mig.system import opening, within
from slurm_mig.usage.monitor.checks import Checks
from slurm_mig.usage.monitor.clock import MachineClock
from slurm_mig.usage.monitor.devices import DeviceCheck, Looker, compare, parse, read
from slurm_mig.usage.monitor.jobs import HeldSlice, OpenJob, OpenJobs
from slurm_mig.usage.monitor.monitor import Monitor
from slurm_mig.usage.monitor.settings import MonitorSettings
from tests.fake_usage import UsageMachine
from tests.hooks.fakenode import FakeNode

V1 = "sys/fs/cgroup/devices/slurm/uid_1001/job_7/step_extern"
V2 = "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/step_extern/user/task_special"
V2_BATCH = "sys/fs/cgroup/system.slice/n1_slurmstepd.scope/job_7/step_batch/user/task_0"


@pytest.fixture
def node(tmp_path: Path) -> FakeNode:
    return FakeNode(tmp_path / "node")


def cgroup(node: FakeNode, path: str) -> Path:
    folder = node.root / path
    folder.mkdir(parents=True)
    (folder / "cgroup.procs").touch()
    return folder


def leave_only(node: FakeNode, *indices: int) -> None:
    """Make all other slices' files vanish, so that only these open."""
    kept = {file["path"] for index in indices for file in node.gres[index]["files"]}
    for entry in node.gres:
        for file in entry["files"]:
            if file["path"] not in kept:
                (node.root / file["path"].lstrip("/")).unlink(missing_ok=True)


def job(node: FakeNode, job_id: int = 7) -> OpenJob:
    jobs = OpenJobs(str(node.root))
    found = {one.job_id: one for one in jobs.look().values()}
    jobs.close()
    return found[job_id]


def look(node: FakeNode, *others: str) -> DeviceCheck:
    return Looker(str(node.root)).look(job(node), frozenset(others))


@pytest.mark.parametrize("path", [V1, V2, V2_BATCH])
def test_exactly_its_slices(node: FakeNode, path: str) -> None:
    assert node.prolog(7, "2") == 0
    folder = cgroup(node, path)
    leave_only(node, 2)
    assert look(node) == DeviceCheck("exact")
    entered = int((folder / "cgroup.procs").read_text())
    with pytest.raises(ProcessLookupError):  # it did not stay there
        os.kill(entered, 0)


def test_one_that_is_not_its_own(node: FakeNode) -> None:
    assert node.prolog(7, "2") == 0
    cgroup(node, V1)
    leave_only(node, 1, 2)
    content = json.loads((node.run / "jobs/7.json").read_text())
    content["record"]["complete"] = True
    (node.run / "jobs/7.json").write_text(json.dumps(content))
    assert look(node) == DeviceCheck("differs", extra=("gpu0.gi9.ci0",))


def test_one_of_its_own_that_it_cannot_open(node: FakeNode) -> None:
    assert node.prolog(7, "1,2") == 0
    cgroup(node, V1)
    leave_only(node, 2)
    assert look(node) == DeviceCheck("differs", missing=("gpu0.gi9.ci0",))


def test_a_free_one_may_be_its_own_where_slurm_does_not_name_all(node: FakeNode) -> None:
    assert node.prolog(7, "2") == 0
    cgroup(node, V1)
    leave_only(node, 0, 2)
    found = look(node)
    assert (found.result, found.extra) == ("unknown", ("gpu0.gi1.ci0",))
    assert look(node, "gpu0.gi1.ci0").result == "differs"  # but not another job's


def test_one_more_of_a_type_that_slurm_named_is_not_its_own(node: FakeNode) -> None:
    assert node.prolog(7, "2") == 0  # of two types on this node Slurm names the last
    cgroup(node, V1)
    leave_only(node, 1, 2)
    assert look(node) == DeviceCheck("differs", extra=("gpu0.gi9.ci0",))


def test_without_a_cgroup_nothing_is_known(node: FakeNode) -> None:
    assert node.prolog(7, "2") == 0
    found = look(node)
    assert (found.result, found.why) == ("unknown", "the job had no cgroup that could be asked")
    cgroup(node, "sys/fs/cgroup/devices/slurm/uid_1001/job_7/step_0")  # which may have less
    assert look(node).result == "unknown"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"constrained": False}, "constrain devices"),
        ({"generation": 5}, "earlier partitioning"),
        ({"boot_id": "other"}, "earlier partitioning"),
        ({"gres": [1]}, "damaged"),
    ],
)
def test_without_a_good_map_nothing_is_known(
    node: FakeNode, change: dict[str, Any], why: str
) -> None:
    assert node.prolog(7, "2") == 0
    cgroup(node, V1)
    node.write_map(**change)
    found = look(node)
    assert found.result == "unknown"
    assert why in (found.why or "")


def test_another_map_is_read(node: FakeNode) -> None:
    assert node.prolog(7, "2") == 0
    cgroup(node, V1)
    leave_only(node, 2)
    looker = Looker(str(node.root))
    assert looker.look(job(node), frozenset()).result == "exact"
    node.write_map(constrained=False, pad="x")
    assert looker.look(job(node), frozenset()).result == "unknown"


def test_the_names_are_the_hooks() -> None:
    node_map = parse(
        json.dumps(
            {
                "boot_id": "b", "generation": 1,
                "gres": [
                    {
                        "gpu_minor": 3, "type": "gpu", "mig": None,
                        "files": [{"path": "/dev/nvidia3"}],
                    },
                    {
                        "gpu_minor": 0, "type": "1g", "mig": {"gi_id": 3, "ci_id": 1},
                        "files": [{"path": name} for name in ("/dev/nvidia0", "gi", "ci")],
                    },
                ],
            }
        ).encode()
    )  # fmt: skip
    assert node_map.files == {"gpu3": ("/dev/nvidia3",), "gpu0.gi3.ci1": ("gi", "ci")}


def test_comparing_says_what_is_too_much_and_what_lacks() -> None:
    one = HeldSlice("GPU-0", 0, None, 1, 0, None, "1g", 0, None, None)
    held = OpenJob(7, "r", 1, None, None, None, None, None, None, True, (one,))
    found = compare(held, frozenset({"gpu0.gi2.ci0"}), frozenset())
    assert found == DeviceCheck("differs", ("gpu0.gi2.ci0",), ("gpu0.gi1.ci0",))
    assert json.loads(found.text()) == {
        "result": "differs", "extra": ["gpu0.gi2.ci0"], "missing": ["gpu0.gi1.ci0"], "why": None,
    }  # fmt: skip


class Seen:
    """A Looker that answers what a test says, one after the other."""

    def __init__(self, *answers: DeviceCheck) -> None:
        self.answers = list(answers)

    def look(self, _: OpenJob, __: frozenset[str]) -> DeviceCheck:
        return self.answers.pop(0)


def checked(
    node: FakeNode, *answers: DeviceCheck, known: bool = False
) -> tuple[list[str], list[str], int]:
    """What was told, what stands in the file each time, and how many looks were left over."""
    machine = UsageMachine((), lambda: 0.0)
    monitor = Monitor(
        node.root, MonitorSettings(device_check=False), machine.session, MachineClock()
    )
    found = job(node)
    file = node.run / f"usage/{found.name}.devices"
    if not known:
        file.unlink(missing_ok=True)
    monitor.meet({found.name: found})
    seen = Seen(*answers)
    checks, told, written = Checks(seen), [], []  # type: ignore[arg-type]
    for second in range(0, 1000, 100):
        told += checks.run(monitor.jobs, float(second)) if seen.answers else []
        written.append(json.loads(file.read_text())["result"] if file.exists() else "-")
    monitor.close()
    return told, list(dict.fromkeys(written)), len(seen.answers)


EXACT, UNKNOWN = DeviceCheck("exact"), DeviceCheck("unknown", why="no cgroup")
DIFFERS = DeviceCheck("differs", extra=("gpu0.gi9.ci0",))


def test_once_it_is_known_nobody_looks_again(node: FakeNode) -> None:
    assert node.prolog() == 0
    assert checked(node, EXACT, DIFFERS) == ([], ["exact"], 1)
    assert checked(node, UNKNOWN, UNKNOWN, EXACT, DIFFERS) == ([], ["unknown", "exact"], 1)


def test_a_new_daemon_does_not_look_again_where_it_is_known(node: FakeNode) -> None:
    assert node.prolog() == 0
    assert checked(node, EXACT) == ([], ["exact"], 0)
    assert checked(node, UNKNOWN, known=True) == ([], ["exact"], 1)
    assert checked(node, DIFFERS, DIFFERS)[1] == ["-", "differs"]
    assert checked(node, EXACT, known=True)[1] == ["differs"]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"result": "exact"}'])
def test_what_is_damaged_was_not_looked_at(text: bytes) -> None:
    assert read(text) is None
    assert read(DIFFERS.text()) == DIFFERS


def test_a_difference_counts_when_it_is_seen_twice(node: FakeNode) -> None:
    assert node.prolog() == 0
    # Slurm makes a cgroup first, and constrains it then.
    assert checked(node, DIFFERS, EXACT) == ([], ["-", "exact"], 0)
    told, _, left = checked(node, DIFFERS, DIFFERS, EXACT)
    assert left == 1
    assert told == ["job 7: its device cgroup is wrong: it can open gpu0.gi9.ci0"]


def test_the_record_has_it(node: FakeNode) -> None:
    assert node.prolog(7, "2") == 0
    cgroup(node, V1)
    leave_only(node, 2)
    machine = UsageMachine((), lambda: 0.0)
    monitor = Monitor(node.root, MonitorSettings(), machine.session, MachineClock())
    monitor.meet({job(node).name: job(node)})
    monitor.round()
    monitor.close()
    assert node.epilog(7, "2") == 0
    (record,) = node.records()
    assert record["device_check"] == {"result": "exact", "extra": [], "missing": [], "why": None}


def test_a_child_that_hangs_is_ended(tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").touch()

    def hang() -> bytes:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
        return b""

    assert within.ask(str(tmp_path), hang, 0.1) is None
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "cgroup.procs").read_text()), 0)


def test_a_child_that_fails_tells_nothing(tmp_path: Path) -> None:
    def fail() -> bytes:
        raise SystemExit(5)

    (tmp_path / "cgroup.procs").touch()
    assert within.ask(str(tmp_path), fail, 5.0) is None
    assert within.ask(str(tmp_path / "nowhere"), lambda: b"x", 5.0) is None
    assert within.ask(str(tmp_path), lambda: b"", 5.0) == b""


def test_what_can_be_opened(tmp_path: Path) -> None:
    assert not opening.opens(str(tmp_path / "nothing"))
    (tmp_path / "file").touch()
    assert opening.opens(str(tmp_path / "file"))
    os.mknod(tmp_path / "device", 0o020600, os.makedev(599, 4000))  # ENXIO: nobody denied it
    assert opening.opens(str(tmp_path / "device"))
