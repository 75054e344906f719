"""Which compute instance profile is meant: drivers offer several of one name. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from slurm_mig.gpu.partitioning import CiSpec
from slurm_mig.gpu.profile import parse


class CiProfile(NamedTuple):
    """A compute instance that a GPU instance offers; `name` as NVML names the MIG device."""

    name: str
    ci_profile_id: int
    slices: int
    sm_count: int


def choose(profiles: Iterable[CiProfile], spec: CiSpec) -> CiProfile | None:
    """The one that `spec` means, or None.

    By its id if the spec has one. Else the one with most multiprocessors among those of that
    name: on an H100 a 1g.20gb offers one with 16 and one with all 26. A name's gigabytes
    differ between drivers, so where no name is equal, the number of slices decides.
    """
    offered = tuple(profiles)
    if spec.ci_profile_id is not None:
        return _most(one for one in offered if one.ci_profile_id == spec.ci_profile_id)
    named = _most(one for one in offered if one.name == spec.ci_profile)
    return named or _most(one for one in offered if one.slices == parse(spec.ci_profile).ci_slices)


def _most(profiles: Iterable[CiProfile]) -> CiProfile | None:
    return max(profiles, key=lambda one: one.sm_count, default=None)
