"""Records that lack a slice, completed by the hooks of other jobs from the job's cgroup."""

import json
from pathlib import Path
from typing import Any

from slurm_mig.hooks import complete, gres_map
from slurm_mig.hooks.log import Line
from slurm_mig.hooks.registry import Registry
from tests.hooks.fakenode import FakeNode


def running(node: FakeNode, job_id: int, step: str = "step_extern") -> Path:
    """The job's cgroup, as the v1 hierarchy shows it. (Its constraint: test_hooks in cluster.)"""
    folder = node.root / f"sys/fs/cgroup/devices/slurm/uid_1001/job_{job_id}/{step}"
    folder.mkdir(parents=True)
    (folder / "cgroup.procs").write_text("4242\n")
    return folder


def leave_only(node: FakeNode, *indices: int) -> None:
    """Make all other slices' files vanish, so that only these open."""
    kept = {file["path"] for index in indices for file in node.gres[index]["files"]}
    for entry in node.gres:
        for file in entry["files"]:
            if file["path"] not in kept:
                (node.root / file["path"].lstrip("/")).unlink(missing_ok=True)


def record(node: FakeNode, job_id: int) -> dict[str, Any]:
    found = json.loads((node.run / f"jobs/{job_id}.json").read_text())["record"]
    assert isinstance(found, dict)
    return found


def test_the_next_prolog_completes_it(node: FakeNode) -> None:
    assert node.prolog(7, "2") == 0  # which also has index 0, and Slurm did not say so
    before = record(node, 7)
    assert before["complete"] is False
    running(node, 7)
    leave_only(node, 0, 2)
    assert node.prolog(8, "2") == 1  # it is job 7's; it looks at nobody else
    assert record(node, 7) == before
    node.mknod("/dev/nvidia2", 195, 2)
    assert node.prolog(8, "5") == 0
    assert record(node, 7) == before  # index 5 is job 8's, and job 7 can open it
    assert "ISOLATION BREACH: job 7 can open gpu2" in node.logged()[-1]


def test_the_slices_found_are_bound_and_given_back(node: FakeNode) -> None:
    assert node.prolog(6, "3") == node.prolog(7, "2") == 0
    running(node, 7)
    leave_only(node, 0, 2)
    assert complete_from(node, 6) == 7
    assert record(node, 7)["complete"] is True
    assert [one["gres_index"] for one in record(node, 7)["slices"]] == [0, 2]
    assert node.bindings() == ["gpu0.gi1.ci0", "gpu0.gi10.ci0", "gpu1.gi5.ci0"]
    assert node.epilog(7, "2") == 0
    assert node.bindings() == ["gpu1.gi5.ci0"]
    assert [one["gres_index"] for one in node.records()[0]["slices"]] == [0, 2]


def test_a_second_slice_of_a_type_is_a_breach(node: FakeNode) -> None:
    assert node.prolog(6, "3") == node.prolog(7, "2") == 0
    running(node, 7)
    leave_only(node, 1, 2)
    assert complete_from(node, 6) is None
    assert record(node, 7)["complete"] is False


def complete_from(node: FakeNode, job_id: int) -> object:
    """The job whose record a hook of `job_id` completed."""
    registry, line = Registry(str(node.root)), Line("prolog")
    try:
        complete.others(str(node.root), registry, job_id, line)
    finally:
        registry.close()
    text = line.text()
    return int(text.partition("completed=")[2].split()[0]) if "completed=" in text else None


def test_the_step_must_have_all_that_the_job_has(node: FakeNode) -> None:
    assert node.prolog(7, "2") == 0
    running(node, 7, step="step_0")  # of --gpus-per-task, say
    leave_only(node, 0, 2, 5)
    assert node.prolog(8, "5") == 0
    assert record(node, 7)["complete"] is False


def test_a_job_without_a_cgroup_stays_incomplete(node: FakeNode) -> None:
    assert node.prolog(7, "2") == node.prolog(8, "5") == node.epilog(7, "2") == 0
    assert node.records()[0]["complete"] is False


def test_a_cgroup_that_takes_nobody(node: FakeNode) -> None:
    the_map = gres_map.load(str(node.root))
    assert complete.from_inside(str(node.root), str(node.root / "nowhere"), the_map) is None
