"""Slurm's cgroups, by their names in every version."""

from pathlib import Path

import pytest

from slurm_mig.system import cgroups


@pytest.mark.parametrize(
    ("path", "job"),
    [
        ("/slurm/uid_1001/job_42/step_0/task_0", "42"),
        ("/slurm_n1/uid_1001/job_42/step_extern", "42"),
        ("/slurm/uid_1001/job_42", "42"),
        ("/system.slice/slurmstepd.scope/job_42/step_batch/user/task_0", "42"),
        ("/system.slice/n1_slurmstepd.scope/s5K1KKYAYG5D00/step_0/user", "s5K1KKYAYG5D00"),
        ("/system.slice/slurmstepd.scope/system", None),
        ("/system.slice/slurmd.service", None),
        ("/user.slice/user-1001.slice/job_x", None),
        ("/", None),
        ("", None),
    ],
)
def test_the_job_of_a_process(path: str, job: str | None) -> None:
    assert cgroups.job_of(f"12:cpu:/\n5:devices:{path}\n") == job
    assert cgroups.job_of(f"0::{path}\n") == job


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("0::/system.slice/nvidia-dcgm.service\n", "nvidia-dcgm.service"),
        ("5:devices:/\n1:name=systemd:/system.slice/nvsm.service\n", "nvsm.service"),
        ("0::/system.slice/system-getty.slice/getty@tty1.service\n", "getty@tty1.service"),
        ("0::/system.slice/a.service/nested/b.service\n", "a.service"),
        ("0::/user.slice/user-7.slice/user@7.service/app.slice/nvidia-dcgm.service\n", None),
        ("0::/machine.slice/system.slice/nvidia-dcgm.service\n", None),
        ("0::/system.slice/slurmstepd.scope/job_1\n", None),
        ("", None),
    ],
)
def test_the_service_of_a_process(text: str, service: str | None) -> None:
    assert cgroups.service_of(text) == service


def test_the_folders_of_a_job_and_its_processes(tmp_path: Path) -> None:
    assert not cgroups.is_tracking(str(tmp_path))
    top = tmp_path / "sys/fs/cgroup"
    v1 = top / "devices/slurm_n1/uid_1001/job_7"
    v2 = top / "system.slice/slurmstepd.scope/s5K"
    for folder, pids in ((v1 / "step_0", "11\n12\n"), (v2 / "step_0/user/task_0", "13\n")):
        folder.mkdir(parents=True)
        (folder / "cgroup.procs").write_text(pids)
    (top / "devices/slurm_n1/uid_1001/job_70").mkdir()
    found = cgroups.job_folders(str(tmp_path), 7, 1001, "s5K")
    assert found == [str(v1), str(v2)]
    assert cgroups.processes(found) == {11, 12, 13}
    assert cgroups.job_folders(str(tmp_path), 7, 1002, None) == []
    assert cgroups.is_tracking(str(tmp_path))


def test_inside_is_told_by_the_own_cgroup(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/system.slice/slurmstepd.scope/s5K/step_extern")
    assert cgroups.inside(str(tmp_path), 7, "s5K")
    assert not cgroups.inside(str(tmp_path), 7, None)
