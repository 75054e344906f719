"""Why GPU instances do not fit on a GPU together, as data. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import combinations
from typing import NamedTuple

from slurm_mig.gpu.partitioning import GiProfile, WantedGi
from slurm_mig.gpu.planning.fitting import Kept, at, fits, media_fit, taken, unit_count, units
from slurm_mig.gpu.planning.nearest import nearest


class Why(StrEnum):
    """The kinds of reasons; their values are words of the JSON."""

    UNKNOWN_PROFILE = "unknown-profile"  # this GPU has no such profile
    TOO_MANY = "too-many"  # more of a profile than its maximum number
    NO_SUCH_START = "no-such-start"  # a start that is none of its profile's
    OVERLAP = "overlap"  # two that name their starts lie on each other
    MEDIA_ENGINES = "media-engines"  # +me or +me.all beside what they exclude
    UNITS = "units"  # more memory units than there are
    POSITIONS = "positions"  # units enough, but no way to place all
    BLOCKED = "blocked"  # it would fit, were it not for instances that stay


class Reason(NamedTuple):
    """One reason: its kind, a clause for people, the profiles it is about.

    `blocked_by`, of BLOCKED alone: the fewest of the kept instances without which it would fit.
    """

    why: Why
    text: str
    profiles: tuple[str, ...]
    blocked_by: tuple[Kept, ...] = ()


class Impossible(NamedTuple):
    """Why a set does not fit, all reasons at once, and the nearest set that does.

    `nearest` (nearest.py) keeps the order of what was wanted; it may be empty.
    """

    reasons: tuple[Reason, ...]
    nearest: tuple[WantedGi, ...]

    def __str__(self) -> str:
        fitting = names(self.nearest) if self.nearest else "nothing of it"
        return f"{'; '.join(reason.text for reason in self.reasons)} (what fits: {fitting})"


def names(wanted: Sequence[WantedGi]) -> str:
    """A set in words: "2x1g.10gb + 3g.40gb@4"."""
    counts = Counter(
        each.profile if each.start is None else f"{each.profile}@{each.start}" for each in wanted
    )
    return " + ".join(f"{count}x{name}" if count > 1 else name for name, count in counts.items())


def explain(
    profiles: Sequence[GiProfile], kept: Sequence[Kept], wanted: Sequence[WantedGi]
) -> Impossible:
    """Why `fitting.places` found none for the same."""
    reasons = (
        *_unknown(profiles, wanted),
        *_too_many(profiles, wanted),
        *_starts(profiles, wanted),
        *_overlaps(profiles, wanted),
        *_media(wanted),
    )
    if not reasons:
        alone = fits(profiles, (), wanted)
        reasons = (_blocked(profiles, kept, wanted) if alone else _no_room(profiles, wanted),)
    return Impossible(reasons, nearest(profiles, kept, wanted))


def _unknown(profiles: Sequence[GiProfile], wanted: Sequence[WantedGi]) -> Iterator[Reason]:
    known = [each.profile for each in profiles]
    for name in dict.fromkeys(each.profile for each in wanted):
        if name not in known:
            there = f"it has {', '.join(known)}" if known else "the driver names none"
            yield Reason(Why.UNKNOWN_PROFILE, f"this GPU has no profile {name}: {there}", (name,))


def _too_many(profiles: Sequence[GiProfile], wanted: Sequence[WantedGi]) -> Iterator[Reason]:
    most = {each.profile: each.max_count if each.placements else 0 for each in profiles}
    for name, count in Counter(each.profile for each in wanted).items():
        if count > most.get(name, count):
            text = f"{count} {name} wanted, of which this GPU holds {most[name]}"
            yield Reason(Why.TOO_MANY, text, (name,))


def _starts(profiles: Sequence[GiProfile], wanted: Sequence[WantedGi]) -> Iterator[Reason]:
    by_name = {each.profile: each for each in profiles}
    for name, start in dict.fromkeys((each.profile, each.start) for each in wanted):
        if start is None or name not in by_name or at(by_name[name], start) is not None:
            continue
        starts = ", ".join(str(place.start) for place in by_name[name].placements)
        text = f"{name} cannot start at {start}, only at {starts}"
        yield Reason(Why.NO_SUCH_START, text, (name,))


def _overlaps(profiles: Sequence[GiProfile], wanted: Sequence[WantedGi]) -> Iterator[Reason]:
    by_name = {each.profile: each for each in profiles}
    for one, other in combinations([each for each in wanted if each.start is not None], 2):
        found = [
            at(by_name[each.profile], each.start)
            for each in (one, other)
            if each.profile in by_name and each.start is not None
        ]
        first, second = found if len(found) == 2 else (None, None)
        if first is not None and second is not None and units(first) & units(second):
            text = f"{names([one])} and {names([other])} lie on each other"
            yield Reason(Why.OVERLAP, text, (one.profile, other.profile))


def _media(wanted: Sequence[WantedGi]) -> Iterator[Reason]:
    every = [each.profile for each in wanted]
    with_all = [name for name in every if name.endswith("+me.all")]
    with_some = [name for name in every if name.endswith("+me")]
    if media_fit(every):
        return
    if not with_all:
        text = f"one GPU instance at most has the media extensions, not {' and '.join(with_some)}"
        yield Reason(Why.MEDIA_ENGINES, text, tuple(with_some))
        return
    others = [name for name in every if not name.endswith("-me")]
    others.remove(with_all[0])
    text = (
        f"{with_all[0]} has all media engines: beside it only -me fits, not {' and '.join(others)}"
    )
    yield Reason(Why.MEDIA_ENGINES, text, (with_all[0], *others))


def _no_room(profiles: Sequence[GiProfile], wanted: Sequence[WantedGi]) -> Reason:
    """The whole GPU is free, and each single wish is in order."""
    by_name = {each.profile: each for each in profiles}
    every = [by_name[each.profile] for each in wanted]
    have = unit_count(profiles)
    need = sum(min(place.size for place in each.placements) for each in every)
    slices, all_slices = sum(each.slices for each in every), max(each.slices for each in profiles)
    of_slices = f"{slices} of {all_slices} compute slices"
    what = tuple(dict.fromkeys(each.profile for each in every))
    if need > have:
        but = f", though {of_slices} would do" if slices <= all_slices else ""
        text = f"{names(wanted)} needs {need} of {have} memory units{but}"
        return Reason(Why.UNITS, text, what)
    starts = "; ".join(
        f"{name} starts at {', '.join(str(place.start) for place in by_name[name].placements)}"
        for name in what
    )
    text = (
        f"{names(wanted)} needs {need} of {have} memory units, but there is no way to place all "
        f"of them ({starts})"
    )
    return Reason(Why.POSITIONS, text, what)


def _blocked(
    profiles: Sequence[GiProfile], kept: Sequence[Kept], wanted: Sequence[WantedGi]
) -> Reason:
    """The whole GPU would hold it: the fewest of the kept ones that are in the way."""
    for number in range(1, len(kept) + 1):
        for away in combinations(sorted(kept, key=lambda each: taken([each[1]])), number):
            rest = [each for each in kept if each not in away]
            if fits(profiles, rest, wanted):
                there = " and ".join(f"{name}@{place.start}" for name, place in away)
                text = f"{names(wanted)} does not fit beside {there}"
                what = tuple(dict.fromkeys(each.profile for each in wanted))
                return Reason(Why.BLOCKED, text, what, away)
    raise AssertionError("fits without any of the kept ones")
