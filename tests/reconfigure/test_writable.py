"""Whether files can be changed from here, as it is told before anything is."""

import subprocess
import sys
from pathlib import Path

import pytest

from slurm_mig.reconfigure.writable import conf_problems, file_problems, gres_problems

CONF = "NodeName=n[1-2] Gres=gpu:old:1\nPartitionName=p Nodes=ALL\n"


def conf(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "slurm.conf"
    path.write_text(text)
    found = conf_problems(path, "n1", "ctl")
    assert path.read_text() == text
    return found


def gres(tmp_path: Path, text: str, label: str = "") -> list[str]:
    path = tmp_path / "gres.conf"
    path.write_text(text)
    found = gres_problems(str(path), "n1", label, "ctl")
    assert path.read_text() == text
    return found


def test_what_is_right(tmp_path: Path) -> None:
    assert conf(tmp_path, CONF) == []
    assert gres(tmp_path, "") == []
    assert gres(tmp_path, "# BEGIN slurm-mig\nName=gpu File=/dev/nvidia0\n# END slurm-mig\n") == []
    assert gres(tmp_path, "NodeName=n2 Name=gpu File=/dev/nvidia0\n", "n1") == []
    assert gres_problems(str(tmp_path / "none.conf"), "n1", "n1", "ctl") == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("NodeName=n2\n", "no NodeName= line describes n1"),
        ("NodeName=n1\nNodeName=n[1-2]\n", "n1 is there twice"),
        ("NodeName=n1 State=FUTURE\n", "State=FUTURE"),
        ("NodeName=n1 ???\n", "Slurm cannot read"),
        ("Include gone.conf\n", "No such file"),
    ],
)
def test_a_slurm_conf_that_cannot_be_changed(tmp_path: Path, text: str, why: str) -> None:
    (problem,) = conf(tmp_path, text)
    assert why in problem


@pytest.mark.parametrize(
    ("text", "label", "why"),
    [
        ("Name=gpu File=/dev/nvidia0\n", "", "lines outside the marked blocks speak of the GPUs"),
        ("NodeName=n[1-2] Name=gpu\n", "", "has lines of other nodes (n2): it is no node's own"),
        ("NodeName=n[1-2] Name=gpu Type=x\n", "n1", "lines outside the marked blocks"),
        ("# BEGIN slurm-mig\n", "n1", "the marked block is damaged"),
        ("Name=gpu ???\n", "", "gres.conf: line 1"),
    ],
)
def test_a_gres_conf_that_cannot_be_changed(
    tmp_path: Path, text: str, label: str, why: str
) -> None:
    told = "\n".join(gres(tmp_path, text, label))
    assert why in told
    assert str(tmp_path / "gres.conf") in told


def test_a_copy_by_any_of_its_names(tmp_path: Path) -> None:
    copies = tmp_path / "var/spool/slurmd/conf-cache"
    copies.mkdir(parents=True)
    (copies / "slurm.conf").write_text(CONF)
    link = tmp_path / "run/slurm/conf"
    link.parent.mkdir(parents=True)
    link.symlink_to(copies)
    for folder in (copies, link):
        (problem,) = file_problems(str(folder / "slurm.conf"), "shared_conf", "ctl")
        assert "is a copy of slurmctld's (configless): run `slurm-mig reconfigure NODES`" in problem
        assert "on ctl, or name the file in shared_conf" in problem


def test_a_link_is_written_to_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/gres.conf").symlink_to("/nowhere/gres.conf")
    (problem,) = file_problems(str(tmp_path / "etc/gres.conf"), "shared_gres_conf", "ctl")
    assert problem == "/nowhere is not there: run `slurm-mig reconfigure NODES` on ctl"


READ_ONLY = """
mount -t tmpfs -o ro none "$1"
exec "$0" -c 'import sys; from slurm_mig.reconfigure.writable import file_problems as problems
print(*problems(sys.argv[1] + "/slurm.conf", "shared_conf", "ctl"), sep="\\n")' "$1"
"""


def test_a_folder_that_not_even_root_writes_to(tmp_path: Path) -> None:
    """As where /etc/slurm is a server's, mounted read-only."""
    words = ["unshare", "--mount", "sh", "-ec", READ_ONLY, sys.executable, str(tmp_path)]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    why = "cannot be written to from here: run `slurm-mig reconfigure NODES` on ctl"
    assert said == f"{tmp_path} {why}\n"
