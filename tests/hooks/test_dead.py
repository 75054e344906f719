"""Jobs that are gone: what a start of slurmd sweeps up, and how the dead are told apart."""

import os

from slurm_mig.hooks import dead
from tests.hooks.fakenode import FakeNode


def test_a_job_that_only_holds_its_allocation_is_not_swept(node: FakeNode) -> None:
    assert node.prolog() == 0
    assert dead.sweep(str(node.root)) == 0
    assert node.open_records() == ["7.json"]


def test_records_of_an_earlier_boot_are_closed(node: FakeNode) -> None:
    assert node.prolog(7, "1") == node.prolog(8, "2") == 0
    (node.root / "proc/sys/kernel/random/boot_id").write_text("another\n")
    assert dead.sweep(str(node.root)) == 2
    assert sorted(record["job_id"] for record in node.records()) == [7, 8]
    assert all(record["end"] is None for record in node.records())
    assert node.bindings() == node.open_records() == []


def test_a_record_without_any_slice_is_closed(node: FakeNode) -> None:
    assert node.prolog() == 0
    (node.run / "bindings/gpu0.gi9.ci0").unlink()
    assert dead.sweep(str(node.root)) == 1
    assert len(node.records()) == 1


def test_the_living_by_their_cgroup(node: FakeNode) -> None:
    assert node.prolog() == 0
    step = node.root / "sys/fs/cgroup/devices/slurm/uid_1001/job_7/step_0"
    step.mkdir(parents=True)
    (step / "cgroup.procs").write_text("4242\n")
    assert node.prolog(8) == 1
    assert "bound to job 7, which is still here" in node.logged()[-1]
    (step / "cgroup.procs").write_text("")
    assert node.prolog(8) == 0


def test_a_sluid_names_the_cgroup_from_26_05(node: FakeNode) -> None:
    assert node.prolog(SLURM_JOB_SLUID="s5K1") == 0
    step = node.root / "sys/fs/cgroup/system.slice/slurmstepd.scope/s5K1/step_0/user/task_0"
    step.mkdir(parents=True)
    (step / "cgroup.procs").write_text("4242\n")
    assert node.prolog(8) == 1


def test_refusals_are_forgotten_when_their_epilogs_must_have_been(node: FakeNode) -> None:
    assert node.prolog(7, "99") == node.prolog(8, "99") == 1
    os.utime(node.run / "jobs/7.refused", times=(1, 1))
    dead.sweep(str(node.root))
    assert [path.name for path in (node.run / "jobs").iterdir()] == ["8.refused"]
    assert node.epilog(8, "99") == 0
    assert not (node.root / "var/lib/slurm-mig/usage").exists()  # it never ran


def test_what_a_killed_hook_had_begun_to_write_is_removed(node: FakeNode) -> None:
    run = node.root / "run/slurm-mig"
    assert dead.sweep(str(node.root)) == 0  # makes the folders
    for draft in ("jobs/.111.json.26351", "bindings/.gpu0.gi1.ci0.7"):
        (run / draft).write_text("half")
    assert dead.sweep(str(node.root)) == 0
    assert list((run / "jobs").iterdir()) == []
    assert list((run / "bindings").iterdir()) == []
