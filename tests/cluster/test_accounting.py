"""`--accounting`: a real slurmdbd and MariaDB, of the cluster's own."""

import time
from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.cluster.conftest import bare, bare_gres, leftovers


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
