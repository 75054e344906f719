"""What `make system` adds: the Slurm of Debian sid, and accounting."""

import time
from pathlib import Path

import pytest

from tests.cluster import reach
from tests.cluster.cluster import Cluster
from tests.cluster.conftest import bare, bare_gres, leftovers

pytestmark = pytest.mark.system


def test_sid_runs_jobs_on_their_slices(tmp_path: Path) -> None:
    with Cluster.up(tmp_path / "c", ["n1:h100-80gb"], slurm="26.05") as cluster:
        (answer,) = reach.of_job(cluster, "--gres=gpu:nvidia_h100_80gb_hbm3_3g.40gb:1")
        assert "/dev/nvidia0" in answer.allowed
        assert len(answer.refused) == 6  # the GI and CI caps of the three other slices
        assert " 26.05." in cluster.exec("n1", ["slurmd", "-V"]).stdout


def test_a_job_is_accounted(version: str, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    with Cluster.up(
        folder, ["n1"], slurm=version, make_machine=bare, gres=bare_gres, accounting=True
    ) as cluster:
        cluster.srun("--gres=gpu:3g.40gb:1", "true")
        asked = ["sacct", "-X", "-n", "-P", "-o", "State,AllocTRES"]
        end = time.monotonic() + 20
        while "COMPLETED" not in (told := cluster.exec("ctl", asked).stdout):
            assert time.monotonic() < end, told
            time.sleep(0.1)
        assert "gres/gpu=1" in told
    assert leftovers(folder) == []
