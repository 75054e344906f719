import os
from pathlib import Path

import pytest

from slurm_mig.doctor.scripts import find_scripts, own_hooks
from slurm_mig.slurm.config.conf import Conf, read_conf


def conf(root: Path, text: str) -> Conf:
    folder = root / "etc/slurm"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "slurm.conf").write_text(text)
    return read_conf(folder / "slurm.conf")


def script(root: Path, path: str, text: str, mode: int = 0o755) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return file


def test_ours_is_what_names_us(tmp_path: Path) -> None:
    script(tmp_path, "opt/p", "#!/bin/sh\nexec /usr/bin/slurm-mig prolog\n")
    script(tmp_path, "opt/e", "#!/bin/sh\nexit 0\n")
    found = find_scripts(tmp_path, conf(tmp_path, "Prolog=/opt/p\nEpilog=/opt/e\n"))
    assert {key: [each.ours for each in value] for key, value in found.items()} == {
        "prolog": [True],
        "epilog": [False],
    }


def test_patterns_and_several_lines(tmp_path: Path) -> None:
    for name in ("d/20-a", "d/10-b", "c"):
        script(tmp_path, f"opt/{name}", "#!/bin/sh\n")
    found = find_scripts(tmp_path, conf(tmp_path, "Prolog=/opt/d/*\nProlog=/opt/c\n"))
    names = [Path(each.path).name for each in found["prolog"]]
    assert names == ["10-b", "20-a", "c"]


def test_what_is_not_there(tmp_path: Path) -> None:
    assert find_scripts(tmp_path, conf(tmp_path, "Prolog=/opt/none\n")) == {"prolog": ()}
    assert find_scripts(tmp_path, conf(tmp_path, "TaskPlugin=x\n")) == {}


@pytest.mark.parametrize(
    ("mode", "owner", "group", "runs", "others"),
    [
        (0o755, 0, 0, True, False),
        (0o755, 0, 7, True, False),
        (0o755, 7, 0, True, True),
        (0o644, 0, 0, False, False),
        (0o775, 0, 0, True, False),
        (0o775, 0, 7, True, True),
        (0o757, 0, 0, True, True),
    ],
)
def test_who_may_run_and_write_it(
    tmp_path: Path, mode: int, owner: int, group: int, runs: bool, others: bool
) -> None:
    os.chown(script(tmp_path, "opt/p", "", mode), owner, group)
    ((found,),) = find_scripts(tmp_path, conf(tmp_path, "Prolog=/opt/p\n")).values()
    assert (found.executable, found.others_may_write) == (runs, others)


def test_a_relative_name_lies_beside_slurm_conf(tmp_path: Path) -> None:
    script(tmp_path, "etc/slurm/prolog.sh", "slurm_mig")
    ((found,),) = find_scripts(tmp_path, conf(tmp_path, "Prolog=prolog.sh\n")).values()
    assert found.ours


def test_our_own_stubs_are_found_and_are_ours(tmp_path: Path) -> None:
    folder = own_hooks()
    text = "".join(f"{key}={folder}/{key}\n" for key in ("prolog", "epilog"))
    found = find_scripts(Path("/"), conf(tmp_path, f"{text}TaskProlog={folder}/task-prolog\n"))
    assert [(each.ours, each.executable) for (each,) in found.values()] == [(True, True)] * 3
