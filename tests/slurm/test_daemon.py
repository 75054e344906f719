import os
from pathlib import Path

import pytest

from slurm_mig.slurm.config.conf import Conf, read_conf
from slurm_mig.slurm.daemon import host_name, newer_than_slurmd, slurmd_start

TICKS = os.sysconf("SC_CLK_TCK")


def machine(root: Path, pid_file: str = "var/run/slurmd.pid", name: str = "slurmd") -> None:
    """A machine that booted at 1000 and started process 77 after 50 s."""
    for folder in ("proc/self/ns", "etc", str(Path(pid_file).parent)):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / pid_file).write_text("77\n")
    (root / "proc/stat").write_text("cpu 1 2 3\nbtime 1000\n")
    (root / "proc/self/ns/mnt").symlink_to("mnt:[1]")
    process(root, 77, name, after_s=50, namespace="mnt:[2]")


def process(
    root: Path,
    pid: int,
    name: str,
    *,
    after_s: int,
    parent: int = 1,
    namespace: str = "mnt:[1]",
    state: str = "S",
) -> None:
    """One more process."""
    (root / f"proc/{pid}/ns").mkdir(parents=True)
    fields = [state, str(parent), *["1"] * 17, str(after_s * TICKS), "0"]
    (root / f"proc/{pid}/stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")
    (root / f"proc/{pid}/ns/mnt").symlink_to(namespace)


def conf(root: Path, text: str) -> Conf:
    (root / "etc/slurm.conf").write_text(text)
    return read_conf(root / "etc/slurm.conf")


def test_when_slurmd_started(tmp_path: Path) -> None:
    machine(tmp_path)
    assert slurmd_start(tmp_path, None, "n1") == 1050
    assert slurmd_start(tmp_path, conf(tmp_path, "A=1\n"), "n1") == 1050


def test_its_pid_file_is_where_slurm_conf_says(tmp_path: Path) -> None:
    machine(tmp_path, "run/slurmd.n1.pid")
    assert slurmd_start(tmp_path, None, "n1") is None
    named = conf(tmp_path, "SlurmdPidFile=/run/slurmd.%n.pid\n")
    assert slurmd_start(tmp_path, named, "n1") == 1050
    assert slurmd_start(tmp_path, named, "n2") is None


@pytest.mark.parametrize("name", ["bash", "slurmstepd", "a) slurmd"])
def test_another_process_with_its_pid_is_not_it(tmp_path: Path, name: str) -> None:
    machine(tmp_path, name=name)
    assert slurmd_start(tmp_path, None, "n1") is None


def test_a_pid_file_that_is_damaged_or_old(tmp_path: Path) -> None:
    machine(tmp_path)
    (tmp_path / "var/run/slurmd.pid").write_text("78\n")
    assert slurmd_start(tmp_path, None, "n1") is None
    (tmp_path / "var/run/slurmd.pid").write_text("")
    assert slurmd_start(tmp_path, None, "n1") is None
    (tmp_path / "var/run/slurmd.pid").write_text("77\n9")  # 77 over 12379, just now
    assert slurmd_start(tmp_path, None, "n1") == 1050


def test_one_that_was_killed_and_not_reaped_yet_does_not_run(tmp_path: Path) -> None:
    machine(tmp_path)
    stat = tmp_path / "proc/77/stat"
    stat.write_text(stat.read_text().replace(" S ", " Z "))
    assert slurmd_start(tmp_path, None, "n1") is None
    process(tmp_path, 90, "slurmd", after_s=60)
    process(tmp_path, 91, "slurmd", after_s=40, state="Z")
    assert slurmd_start(tmp_path, None, "n1") == 1060


def test_without_a_pid_file_it_is_the_only_slurmd_of_this_machine(tmp_path: Path) -> None:
    machine(tmp_path, "run/elsewhere.pid")  # its slurmd is in a container
    assert slurmd_start(tmp_path, None, "n1") is None
    process(tmp_path, 90, "slurmd", after_s=60)
    process(tmp_path, 91, "slurmd", after_s=70, parent=90)  # about to run a prolog
    process(tmp_path, 92, "slurmstepd", after_s=80)
    assert slurmd_start(tmp_path, None, "n1") == 1060
    process(tmp_path, 93, "slurmd", after_s=90)
    assert slurmd_start(tmp_path, None, "n1") is None


def test_files_that_were_written_later(tmp_path: Path) -> None:
    path = tmp_path / "gres.conf"
    assert not newer_than_slurmd(path, 1000)
    path.touch()
    os.utime(path, (1001, 1001))
    assert not newer_than_slurmd(path, 1000)
    assert not newer_than_slurmd(path, None)
    os.utime(path, (1003, 1003))
    assert newer_than_slurmd(path, 1000)


def test_the_name_of_this_host_is_short() -> None:
    assert "." not in host_name()
