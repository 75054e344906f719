"""The files for other programs, read as those read them.

The DCGM exporter takes every file of the folder whose name is <digits> or <digits>.<digits>,
each line of it a job as it stands, and the file `gpu`.`GPU instance` for a metric of a slice
(dcgm-exporter d5e5f51, internal/pkg/transformation/hpc.go). The exporter of jobstats looks for
/run/gpustat/UUID and takes its two words (its slurm/prolog.d/gpustats_helper.sh).
"""

import os
import re
from pathlib import Path

from slurm_mig.hooks import gres_map, jobmaps
from slurm_mig.hooks.settings import Settings
from tests.hooks.fakenode import FakeNode

_NAME = re.compile(r"\d+(\.\d+)?")


class Exporter:
    """What the DCGM exporter makes of the folder at this moment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def jobs(self) -> dict[str, list[str]]:
        files = [path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)]
        return {path.name: path.read_text().splitlines() for path in files if path.is_file()}


def settings(dcgm: str = "/run/dcgm", gpustat: str = "/run/gpustat") -> Settings:
    found = Settings()
    found.dcgm_job_mapping_dir, found.gpustat_dir = dcgm, gpustat
    return found


def test_a_slice_is_named_by_nvmls_index_and_its_instance(node: FakeNode) -> None:
    exporter, root = Exporter(node.root / "run/dcgm"), str(node.root)
    the_map = gres_map.load(root)
    for index in range(len(the_map)):
        one = the_map.at(index)
        jobmaps.add(root, settings(), (one,), 7, 1001)
        name = f"{one.gpu_index}" if one.mig is None else f"{one.gpu_index}.{one.mig.gi_id}"
        assert exporter.jobs() == {name: ["7"]}
        assert (node.root / "run/gpustat" / one.uuid).read_text().split() == ["7", "1001"]
        jobmaps.remove(root, settings(), (one,), 7)
        assert exporter.jobs() == {}
        assert list((node.root / "run/gpustat").iterdir()) == []


def test_no_line_is_empty_and_each_job_has_one(node: FakeNode) -> None:
    exporter, root = Exporter(node.root / "run/dcgm"), str(node.root)
    pair = [gres_map.load(root).at(index) for index in (3, 4)]  # two CIs of one GPU instance
    for job_id, one in ((9, pair[0]), (10, pair[1]), (10, pair[1])):
        jobmaps.add(root, settings(), (one,), job_id, 1001)
    assert exporter.jobs() == {"1.5": ["10", "9"]}
    jobmaps.remove(root, settings(), (pair[0],), 9)
    assert exporter.jobs() == {"1.5": ["10"]}


def test_a_draft_is_never_taken_for_a_map(node: FakeNode) -> None:
    one = gres_map.load(str(node.root)).at(1)
    jobmaps.add(str(node.root), settings(), (one,), 7, 1001)
    folder = node.root / "run/dcgm"
    (folder / f".0.9.{os.getpid()}").write_text("8\n")  # as a hook that was killed leaves it
    assert Exporter(folder).jobs() == {"0.9": ["7"]}
    jobmaps.add(str(node.root), settings(), (one,), 8, 1001)
    assert Exporter(folder).jobs() == {"0.9": ["7", "8"]}
    assert sorted(path.name for path in folder.iterdir()) == ["0.9"]


def test_everybody_may_read_them(node: FakeNode) -> None:
    one = gres_map.load(str(node.root)).at(1)
    jobmaps.add(str(node.root), settings(), (one,), 7, 1001)
    for folder in (node.root / "run/dcgm", node.root / "run/gpustat"):
        assert folder.stat().st_mode & 0o777 == 0o755
        assert all(path.stat().st_mode & 0o777 == 0o644 for path in folder.iterdir())


def test_another_jobs_file_is_left_alone(node: FakeNode) -> None:
    root = str(node.root)
    one = gres_map.load(root).at(1)
    jobmaps.add(root, settings(), (one,), 8, 1002)
    jobmaps.remove(root, settings(), (one,), 7)  # a late epilog
    assert Exporter(node.root / "run/dcgm").jobs() == {"0.9": ["8"]}
    assert (node.root / "run/gpustat" / one.uuid).read_text() == "8 1002\n"


def test_what_is_switched_off_is_not_touched(node: FakeNode) -> None:
    one = gres_map.load(str(node.root)).at(1)
    jobmaps.add(str(node.root), settings(dcgm=""), (one,), 7, 1001)
    assert not (node.root / "run/dcgm").exists()
    jobmaps.add(str(node.root), settings(gpustat=""), (one,), 7, 1001)
    jobmaps.remove(str(node.root), settings(dcgm=""), (one,), 7)
    assert Exporter(node.root / "run/dcgm").jobs() == {"0.9": ["7"]}


def test_a_name_of_an_old_driver_is_one_files(node: FakeNode) -> None:
    one = gres_map.load(str(node.root)).at(1)
    assert one.mig is not None
    one.mig.uuid = "MIG-GPU-1/7/0"
    jobmaps.add(str(node.root), settings(dcgm=""), (one,), 7, 1001)
    assert [path.name for path in (node.root / "run/gpustat").iterdir()] == ["MIG-GPU-1_7_0"]
