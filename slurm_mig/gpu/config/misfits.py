"""What in a wanted GPU this GPU can never be, told before anyone looks for places. Pure."""

import difflib
from collections.abc import Iterator

from slurm_mig.gpu.partitioning import GiProfile, LiveGpu, WantedGi, WantedGpu


def misfits(gpu: LiveGpu, wanted: WantedGpu) -> list[str]:
    """Each wanted instance that this GPU does not offer at all, and why; one line a reason.

    Nothing where the driver tells no profiles: then only creating it can say. Whether all of
    them fit together is the solver's question.
    """
    offered = {profile.profile: profile for profile in gpu.profiles}
    if not offered:
        return []
    where = f"GPU {gpu.info.gpu_index} ({gpu.info.name})"
    found = (_misfit(gi, offered) for gi in wanted.instances)
    return list(dict.fromkeys(f"{where} {reason}" for reason in found if reason))


def _misfit(gi: WantedGi, offered: dict[str, GiProfile]) -> str:
    """Why this GPU instance cannot be; "" when it can."""
    profile = offered.get(gi.profile)
    if profile is None:
        return f"has no profile {gi.profile}: {_hint(gi.profile, offered)}"
    starts = [place.start for place in profile.placements]
    if starts and gi.start is not None and gi.start not in starts:
        there = ", ".join(map(str, starts))
        return f"has no place for {gi.profile} at {gi.start}: it can start at {there}"
    return ""


def _hint(name: str, offered: dict[str, GiProfile]) -> str:
    """The profiles there are, and of those of as many slices the one that is meant perhaps."""
    alike = list(_of_as_many_slices(name, offered))
    near = difflib.get_close_matches(name, alike, n=1, cutoff=0.0)
    meant = f"did you mean {near[0]}? " if near else ""
    return f"{meant}It offers {', '.join(offered)}"


def _of_as_many_slices(name: str, offered: dict[str, GiProfile]) -> Iterator[str]:
    slices = name.partition("g.")[0]
    yield from (other for other in offered if other.partition("g.")[0] == slices)
