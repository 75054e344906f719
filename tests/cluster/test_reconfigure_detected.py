"""26.05: a dynamic node whose slurmd detects its slices and tells slurmctld. In `make system`."""

from collections.abc import Iterator

import pytest

from tests.cluster import hooking, reach, site
from tests.cluster import reconfiguring as on
from tests.cluster.cluster import Cluster
from tests.cluster.slurmconf import CONTROLLER

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("detected") / "c"
    with on.up(folder, slurm="26.05", dynamic=True) as made:
        _detect(made)
        yield made


def _detect(cluster: Cluster) -> None:
    """n1 comes anew, without Gres= in its words and with AutoDetect=nvml."""
    etc = cluster.node("n1").root / "etc/slurm"
    cluster.stop_slurmd("n1")
    cluster.exec(CONTROLLER, ["scontrol", "delete", "nodename=n1"])
    words = ["gen-gres", "--node", "n1", "--slurm-version", "26.05.5", "--autodetect", "nvml"]
    (etc / "gres.conf").write_text(hooking.slurm_mig(cluster, "n1", *words))
    (etc / site.OPTIONS).write_text('-Z --conf "CPUs=16 RealMemory=1000"\n')
    cluster.start_slurmd("n1")
    cluster.wait_idle()
    hooking.make_map(cluster, "n1")


def test_there_and_back(cluster: Cluster) -> None:
    for label in ("mixed", "seven"):
        planned = on.reconfigure(cluster, label, "--dry-run")
        assert "`scontrol delete` and `slurmd -Z`\n" in planned.stdout
        done = on.reconfigure(cluster, label)
        assert done.returncode == 0, done
        on.must_have(cluster, on.LAYOUTS[label])
        for profile in on.LAYOUTS[label]:
            (answer,) = reach.of_job(cluster, "-w", "n1", f"--gres=gpu:{on.TYPE}{profile}:1")
            on.must_match([(profile, on.slices(answer))])


@pytest.mark.parametrize("phase", ["PUBLISH", "START"])
def test_killed_and_recovered(cluster: Cluster, phase: str) -> None:
    label = "mixed" if on.live(cluster) == on.SEVEN else "seven"
    on.kill_in(cluster, label, phase)
    if on.record(cluster):
        done = on.recover(cluster)
        assert done.returncode == 0, done
    on.must_have(cluster, on.LAYOUTS[label])
