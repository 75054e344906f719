"""The open jobs as the monitor reads them: what hooks wrote, and nothing that they did not."""

import json
import os
import shutil
from pathlib import Path

import pytest

from slurm_mig.errors import HookError
from slurm_mig.usage.monitor.jobs import OpenJobs, parse
from tests.hooks.fakenode import FakeNode


@pytest.fixture
def node(tmp_path: Path) -> FakeNode:
    return FakeNode(tmp_path / "node")


def test_what_a_prolog_wrote(node: FakeNode) -> None:
    assert node.prolog(7, "1,5", SLURM_JOB_SLUID="s5K1") == 0
    jobs = OpenJobs(str(node.root))
    (job,) = jobs.look().values()
    assert (job.job_id, job.uid, job.user, job.account) == (7, 1001, "ada", "physics")
    assert job.names == {"7", "s5K1"}
    assert [one.name for one in job.slices] == ["gpu0.gi9.ci0", "gpu2"]
    assert [one.key for one in job.slices] == [(0, 9, 0), (2, -1, -1)]
    assert job.slices[1].mig_uuid is None
    assert job.start_s is not None
    jobs.close()


def test_jobs_come_and_go(node: FakeNode) -> None:
    jobs = OpenJobs(str(node.root))
    assert jobs.look() == {}
    assert node.prolog(7, "1") == node.prolog(8, "2") == 0
    assert sorted(one.job_id for one in jobs.look().values()) == [7, 8]
    assert node.epilog(7, "1") == 0
    assert [one.job_id for one in jobs.look().values()] == [8]
    assert jobs.all_read
    jobs.close()


def test_a_file_is_read_again_only_when_it_is_another(node: FakeNode) -> None:
    assert node.prolog(7, "1") == 0
    jobs = OpenJobs(str(node.root))
    (first,) = jobs.look().values()
    (again,) = jobs.look().values()
    assert again is first
    path = node.run / "jobs/7.json"
    content = json.loads(path.read_text())
    content["record"]["complete"] = True
    path.with_name(".draft").write_text(json.dumps(content))
    path.with_name(".draft").rename(path)
    (changed,) = jobs.look().values()
    assert changed == first._replace(complete=True)
    jobs.close()


def test_what_is_damaged_is_not_there_and_said(node: FakeNode) -> None:
    assert node.prolog(7, "1") == 0
    path = node.run / "jobs/7.json"
    jobs = OpenJobs(str(node.root))
    for text in ("", "{", "[]", '{"record": 5}', '{"record": {"job_id": 7}}'):
        path.write_text(text)
        assert jobs.look() == {}
        assert not jobs.all_read
    path.unlink()
    assert jobs.look() == {}
    assert jobs.all_read
    jobs.close()


def test_other_files_are_nobodys_jobs(node: FakeNode) -> None:
    jobs = OpenJobs(str(node.root))
    for name in ("7.incomplete", "7.refused", "7.r1.closing", ".7.json.99"):
        (node.run / "jobs" / name).write_text("{}")
    assert jobs.look() == {}
    assert jobs.all_read
    jobs.close()


def test_a_file_that_is_not_roots_is_not_believed(node: FakeNode) -> None:
    assert node.prolog(7, "1") == 0
    os.chown(node.run / "jobs/7.json", 1001, 1001)
    jobs = OpenJobs(str(node.root))
    assert jobs.look() == {}
    jobs.close()


def test_a_folder_that_others_can_write_to_is_refused(node: FakeNode) -> None:
    node.run.chmod(0o777)
    with pytest.raises(HookError, match="not root's alone"):
        OpenJobs(str(node.root))


def test_a_removed_folder_is_noticed(node: FakeNode) -> None:
    jobs = OpenJobs(str(node.root))
    assert not jobs.is_removed
    shutil.rmtree(node.run / "jobs")
    assert jobs.is_removed
    jobs.close()


def test_who_only_looks_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        OpenJobs(str(tmp_path), make=False)
    assert not list(tmp_path.iterdir())


def test_a_whole_gpu_has_no_instance() -> None:
    one = {"gpu_uuid": "GPU-0", "gpu_minor": 0, "type": "gpu", "gres_index": 0, "gi_id": None}
    record = {"job_id": 7, "record_id": "r", "slices": [one]}
    found = parse(json.dumps({"record": record}).encode())
    assert found is not None
    assert (found.slices[0].name, found.complete, found.uid) == ("gpu0", False, None)
