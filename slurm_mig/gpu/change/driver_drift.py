"""Profiles whose names differ between drivers, found again by what they are. Pure.

The gigabytes in a name are rounded from the memory that a driver reports: a GB200's 1g.24gb became
1g.23gb. What stays is the number of slices, the attribute (+me), and the size of the placement.
"""

from collections.abc import Sequence

from slurm_mig.gpu.partitioning import CiSpec, GiProfile, GiSpec, Layout
from slurm_mig.gpu.profile import gi_profile, parse


def offered(profiles: Sequence[GiProfile], profile: str, size: int) -> GiProfile | None:
    """What a driver offers under that name, else under another; None: nothing of the kind."""
    for offer in profiles:
        if offer.profile == profile:
            return offer
    alike = [offer for offer in profiles if _kind(offer.profile) == _kind(profile)]
    same = [offer for offer in alike if any(place.size == size for place in offer.placements)]
    return same[0] if len(same) == 1 else None


def renamed(layout: Layout, profiles: Sequence[GiProfile]) -> Layout:
    """The same layout in the names of this driver; what it does not offer keeps its name."""
    return layout._replace(instances=tuple(_renamed(gi, profiles) for gi in layout.instances))


def _renamed(gi: GiSpec, profiles: Sequence[GiProfile]) -> GiSpec:
    offer = offered(profiles, gi.profile, gi.placement.size)
    if offer is None or offer.profile == gi.profile:
        return gi
    cis = tuple(_renamed_ci(ci, offer.profile) for ci in gi.cis)
    return gi._replace(profile=offer.profile, cis=cis)


def _renamed_ci(ci: CiSpec, profile: str) -> CiSpec:
    compute = ci.ci_profile.removesuffix(gi_profile(ci.ci_profile))
    return ci._replace(ci_profile=compute + profile)


def _kind(profile: str) -> tuple[int, str]:
    name = parse(profile)
    return name.gi_slices, name.attribute
