"""What `make system` adds: the Slurm of Debian sid."""

from pathlib import Path

import pytest

from tests.cluster import reach
from tests.cluster.cluster import Cluster

pytestmark = pytest.mark.system


def test_sid_runs_jobs_on_their_slices(tmp_path: Path) -> None:
    with Cluster.up(tmp_path / "c", ["n1:h100-80gb"], slurm="26.05") as cluster:
        (answer,) = reach.of_job(cluster, "--gres=gpu:nvidia_h100_80gb_hbm3_3g.40gb:1")
        assert "/dev/nvidia0" in answer.allowed
        assert len(answer.refused) == 6  # the GI and CI caps of the three other slices
        assert " 26.05." in cluster.exec("n1", ["slurmd", "-V"]).stdout
