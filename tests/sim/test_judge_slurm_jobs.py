"""Slurm judges the simulated library by what jobs get: with AutoDetect=nvml, the right UUIDs.

`slurmd -G` of 22.05 does not print unique ids; a job's CUDA_VISIBLE_DEVICES shows them.
"""

from collections import Counter
from pathlib import Path

import pytest

from tests.cluster import reach
from tests.cluster.cluster import Cluster
from tests.cluster.conffiles import Gres
from tests.cluster.machines import Machines
from tests.cluster.roots import GATING
from tests.sim.api import Sim
from tests.sim.test_judge_slurm import AUTODETECT, slurm_type
from tests.sim.truth import Slice, slices

GPUS = ["a100-40gb=3g.20gb@4:2c:1c/1g.5gb@0", "h100-80gb=2x1g.20gb"]


def machine_slices(machines: Machines, name: str) -> list[Slice]:
    """What the simulated machine of a node holds."""
    return slices(Sim(machines.node(name).folder))


def detected(machines: Machines, name: str) -> Gres:
    """No lines of gres.conf: the plugin has to find everything."""
    version = machines.slurm.version
    types = Counter(slurm_type(version, mig) for mig in machine_slices(machines, name))
    return Gres(",".join(f"gpu:{kind}:{n}" for kind, n in types.items()), AUTODETECT)


@pytest.mark.parametrize("version", GATING)
def test_a_job_has_the_uuid_of_the_slice_it_can_open(version: str, tmp_path: Path) -> None:
    with Cluster.up(tmp_path / "c", {"n1": GPUS}, slurm=version, gres=detected) as cluster:
        known = machine_slices(cluster, "n1")
        for kind in sorted({slurm_type(version, mig) for mig in known}):
            (task,) = reach.of_job(cluster, f"--gres=gpu:{kind}:1")
            (mig,) = [mig for mig in known if mig.uuid == task.told["CUDA_VISIBLE_DEVICES"]]
            assert slurm_type(version, mig) == kind
            assert set(mig.files) <= task.allowed
            others = {path for other in known for path in other.files} - set(mig.files)
            assert others <= task.refused
        (everything,) = reach.of_job(cluster, f"--gres=gpu:{len(known)}")
        uuids = everything.told["CUDA_VISIBLE_DEVICES"].split(",")
        assert sorted(uuids) == sorted(mig.uuid for mig in known)
