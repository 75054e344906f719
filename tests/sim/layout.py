"""Layouts: `3g.40gb@4:1c:2c/2x1g.10gb` and its like, read and laid out on a GPU model. Pure.

Slices are separated by `/`; each is `[Nx]PROFILE[@START][:CI[:CI...]]`. A CI is `1c`, `2c`, ...
or `idN` (a profile id of NVML: `1g.20gb:id0` is the compute instance with 16 of 26 SM). No CI
given: one that has everything; `none`: a GPU instance without any.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.sim.errors import SimError
from tests.sim.models import CiProfile, GiProfile, GpuModel, profile_names

SLICE = re.compile(r"(?:(\d+)x)?([0-9a-z.+-]+?)(?:@(\d+))?((?::[0-9a-z]+)*)")
BALANCED = {7: (3, 2, 1, 1), 4: (2, 1, 1)}  # mig-parted's all-balanced


@dataclass(frozen=True)
class WantedCi:
    """A compute instance to make, and where."""

    profile: CiProfile
    start: int


@dataclass(frozen=True)
class WantedGi:
    """A GPU instance to make, where, and what to make in it."""

    profile: GiProfile
    start: int
    cis: tuple[WantedCi, ...]


def plan(model: GpuModel, text: str) -> tuple[WantedGi, ...]:
    """The instances of a layout, each with a place. SimError says why it cannot be."""
    if not model.mig:
        raise SimError(f"{model.key} cannot do MIG: give it no layout")
    if text == "mig":
        return ()
    slices = [one for part in _expand(model, text).split("/") for one in _read(model, part)]
    starts = place([(gi.starts, gi.size, start) for gi, start, _ in slices])
    if starts is None:
        names = "/".join(gi.name if at is None else f"{gi.name}@{at}" for gi, at, _ in slices)
        raise SimError(
            f"{names} does not fit on {model.key}: no way to place all of them in its "
            f"{model.units} memory units ({_places(slices)})"
        )
    return tuple(
        WantedGi(gi, start, _compute(gi, cis))
        for (gi, _, cis), start in zip(slices, starts, strict=True)
    )


_Slice = tuple[GiProfile, int | None, tuple[str, ...]]


def _places(slices: Sequence[_Slice]) -> str:
    seen = {gi.name: gi for gi, _, _ in slices}
    return "; ".join(
        f"{name} takes {gi.size} at {','.join(map(str, gi.starts))}" for name, gi in seen.items()
    )


def _expand(model: GpuModel, text: str) -> str:
    if text != "balanced":
        return text
    plain = [gi for gi in model.profiles if not set("+-") & set(gi.name)]
    wanted = BALANCED[max(gi.slices for gi in plain)]
    smallest = {
        n: min((gi for gi in plain if gi.slices == n), key=lambda gi: gi.size) for n in set(wanted)
    }
    return "/".join(smallest[n].name for n in wanted)


def _read(model: GpuModel, part: str) -> list[_Slice]:
    match = SLICE.fullmatch(part)
    if match is None:
        raise SimError(f"cannot read slice {part!r}: write [Nx]PROFILE[@START][:CI[:CI...]]")
    count, name, start, cis = match.groups()
    try:
        profile = model.profile(name)
    except KeyError:
        raise SimError(
            f"{model.key} has no profile {name}: it has {profile_names(model)}"
        ) from None
    if start is not None and int(start) not in profile.starts:
        raise SimError(f"{name} cannot start at {start} on {model.key}, only at {profile.starts}")
    one = (profile, None if start is None else int(start), tuple(filter(None, cis.split(":"))))
    return [one] * int(count or 1)


def place(wanted: Sequence[tuple[Sequence[int], int, int | None]]) -> list[int] | None:
    """Starts for (possible starts, size, start asked for) that do not overlap, or None.

    The asked ones first, then the largest; among the possible the lowest. Exact: it tries all.
    """
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i][2] is None, -wanted[i][1], i))
    chosen: dict[int, int] = {}

    def fill(position: int, taken: frozenset[int]) -> bool:
        if position == len(order):
            return True
        starts, size, asked = wanted[order[position]]
        for start in starts if asked is None else (asked,):
            units = frozenset(range(start, start + size))
            if not units & taken and fill(position + 1, taken | units):
                chosen[order[position]] = start
                return True
        return False

    return [chosen[i] for i in range(len(wanted))] if fill(0, frozenset()) else None


def _compute(gi: GiProfile, names: tuple[str, ...]) -> tuple[WantedCi, ...]:
    if names == ("none",):
        return ()
    profiles = [_ci(gi, name) for name in names] or [whole(gi)]
    starts = place([(ci.starts, ci.size, None) for ci in profiles])
    if starts is None:
        raise SimError(f"{':'.join(names)} does not fit in a {gi.name} of {gi.slices} slices")
    return tuple(WantedCi(ci, start) for ci, start in zip(profiles, starts, strict=True))


def whole(gi: GiProfile) -> CiProfile:
    """The compute instance that has all of it; of two with all slices, the one with more SM."""
    return max(gi.ci_profiles, key=lambda ci: (ci.slices, ci.sm_count))


def _ci(gi: GiProfile, name: str) -> CiProfile:
    if name == f"{gi.slices}c":
        return whole(gi)
    for ci in gi.ci_profiles:
        if name in (f"{ci.slices}c", f"id{ci.profile_id}"):
            return ci
    there = ", ".join(f"{ci.slices}c (id{ci.profile_id})" for ci in gi.ci_profiles)
    raise SimError(f"a {gi.name} has no compute instance {name}: it has {there}, or none")
