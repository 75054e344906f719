"""What a GPU can never be, in words that say what it can."""

import pytest

from slurm_mig.gpu.config.misfits import misfits
from slurm_mig.gpu.partitioning import WantedGi, WantedGpu
from tests.gpu.laidout import live_gpu
from tests.sim.models import load, mig_keys

H100 = live_gpu("h100-80gb")


def told(*wanted: WantedGi) -> list[str]:
    return misfits(H100, WantedGpu(True, wanted))


@pytest.mark.parametrize("key", mig_keys())
def test_everything_that_a_gpu_offers_is_fine(key: str) -> None:
    wanted = [WantedGi(row.name, start) for row in load(key).profiles for start in row.starts]
    wanted += [WantedGi(row.name) for row in load(key).profiles]
    assert misfits(live_gpu(key), WantedGpu(True, tuple(wanted))) == []


def test_a_profile_of_another_gpu() -> None:
    (problem,) = told(WantedGi("3g.20gb"), WantedGi("3g.20gb"))
    assert problem.startswith(
        "GPU 0 (NVIDIA H100 80GB HBM3) has no profile 3g.20gb: did you mean 3g.40gb? "
        "It offers 1g.10gb, 1g.10gb+me,"
    )


def test_a_profile_like_none() -> None:
    (problem,) = told(WantedGi("5g.50gb"))
    assert "has no profile 5g.50gb: It offers 1g.10gb" in problem


def test_a_start_that_is_none() -> None:
    assert told(WantedGi("3g.40gb", 2), WantedGi("2g.20gb", 4)) == [
        "GPU 0 (NVIDIA H100 80GB HBM3) has no place for 3g.40gb at 2: it can start at 0, 4"
    ]


def test_what_the_driver_does_not_tell_is_no_misfit() -> None:
    """With MIG off it tells no places, and some tell no profiles."""
    silent = H100._replace(profiles=())
    assert misfits(silent, WantedGpu(True, (WantedGi("3g.20gb", 1),))) == []
    profiles = tuple(row._replace(placements=()) for row in H100.profiles)
    placeless = H100._replace(profiles=profiles)
    assert misfits(placeless, WantedGpu(True, (WantedGi("3g.40gb", 1),))) == []
