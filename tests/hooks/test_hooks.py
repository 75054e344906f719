"""Prolog, epilog and task-prolog one after the other, as a job goes through them."""

import json

import pytest

from tests.hooks.fakenode import FakeNode


def test_a_job_from_prolog_to_record(node: FakeNode) -> None:
    assert node.prolog() == 0
    assert node.open_records() == ["7.json"]
    assert node.bindings() == ["gpu0.gi9.ci0"]
    assert node.epilog(SLURM_JOB_EXIT_CODE2="3:0") == 0
    assert node.open_records() == node.bindings() == []
    (record,) = node.records()
    assert (record["job_id"], record["user"], record["exit_code"]) == (7, "ada", 3)
    assert record["slices"][0]["mig_uuid"] == node.gres[1]["mig"]["uuid"]
    assert record["slices"][0]["repartitioned"] is False
    assert record["end"] >= record["start"]


def test_a_slice_of_a_missing_instance_is_refused(node: FakeNode) -> None:
    (node.root / "proc/driver/nvidia/capabilities/gpu0/mig/gi9/ci0/access").unlink()
    assert node.prolog() == 1
    assert "the slice is gone" in node.logged()[-1]
    assert node.open_records() == node.bindings() == []
    assert node.epilog() == 0
    assert node.records() == []  # it never ran here


def test_a_task_gets_the_uuids(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    # Nothing is constrained here: this process opens every node.
    node.write_map(constrained=False)
    assert node.hook("task-prolog", 7, "1,2", {}) == 0
    told = capsys.readouterr().out.splitlines()
    uuids = ",".join(node.gres[index]["mig"]["uuid"] for index in (1, 2))
    assert told[0] == f"export CUDA_VISIBLE_DEVICES={uuids}"
    assert told[1].startswith("print slurm-mig: this task has 2 slices")
    assert json.loads(json.dumps(told))
