"""Which compute instance profile is meant."""

import pytest

from slurm_mig.gpu.nvml.ci_choice import CiProfile, choose
from slurm_mig.gpu.partitioning import CiSpec

CIS = (
    CiProfile("1g.20gb", 0, 1, 16),
    CiProfile("1g.20gb", 7, 1, 26),
    CiProfile("2g.20gb", 1, 2, 32),
)


@pytest.mark.parametrize(
    ("spec", "number"),
    [
        (CiSpec("1g.20gb"), 7),
        (CiSpec("1g.20gb", 0), 0),
        (CiSpec("1g.19gb"), 7),
        (CiSpec("2g.20gb"), 1),
        (CiSpec("3g.20gb"), None),
        (CiSpec("1g.20gb", 5), None),
    ],
)
def test_which_compute_instance_is_meant(spec: CiSpec, number: int | None) -> None:
    found = choose(CIS, spec)
    assert (None if found is None else found.ci_profile_id) == number
