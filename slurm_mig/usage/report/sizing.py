"""Whether a smaller slice of the same GPU would have done, and how sure that is.

Advice is given only where the figures that it needs are known.
"""

from functools import lru_cache
from typing import NamedTuple

from slurm_mig.gpu import profile as names
from slurm_mig.usage.report.figures import busy, was_sampled
from slurm_mig.usage.report.models import Shape, model_of, models, named, shape_of
from slurm_mig.usage.store.nouns import Slice
from slurm_mig.usage.store.rules import Ladder, SizingRule

MARGIN = 0.10
IDLE_MIB = 64  # what a driver keeps on a slice that nobody uses: up to some tens of MiB
COVERED = 0.8
FULL = 0.95
FEW = 3  # samples
RULE = (
    "the smallest profile of the same GPU model whose memory is at least the peak"
    f" + {MARGIN:.0%} + {IDLE_MIB} MiB (what a driver keeps on an idle slice), and, where activity"
    " is known (Hopper and later), whose compute slices and memory bandwidth are at least the"
    f" mean activity + {MARGIN:.0%}"
)
DOUBT = (
    f"uncertain: sampled less than {COVERED:.0%} of the time, with gaps, or with fewer than {FEW}"
    " samples"
)


class Advice(NamedTuple):
    """What is said of one slice.

    `verdict` is "smaller" (`profile` would have done), "fits" (nothing smaller would have),
    "full" (the memory was nearly full), or "unknown" (`why`). `by_memory_only`: its activity is
    not known. `doubts` say why it is uncertain, and are empty where it is not.
    """

    verdict: str
    profile: str | None = None
    by_memory_only: bool = False
    doubts: tuple[str, ...] = ()
    why: str | None = None


class Need(NamedTuple):
    """What a slice must have had at least: compute slices and memory units None: unknown."""

    memory_mib: float
    compute: float | None
    units: float | None


def advise(one: Slice) -> Advice:
    """The advice for one slice that a job had."""
    own, model, peak_mib = shape_of(one), model_of(one.gpu_name), one.memory_peak_mib
    why = _unknown(one)
    if why is None and (own is None or model is None):
        why = "the profiles of this GPU model are not known"
    if why is not None or own is None or model is None or peak_mib is None:
        return Advice("unknown", why=why)
    doubts = _doubts(one) + (("the model's numbers are partly assumed",) if model.assumed else ())
    need = _need(own, one, peak_mib)
    if peak_mib >= FULL * own.memory_mib:
        return Advice("full", None, need.compute is None, doubts)
    found = _smallest(one.gpu_name, own, need)
    return Advice("smaller" if found else "fits", found, need.compute is None, doubts)


@lru_cache(maxsize=1)
def rule() -> SizingRule:
    """What advise() goes by, for a database that is to find the same."""
    ladders = []
    for model in models():
        for profile in (None, *(shape.profile for shape in model.shapes)):
            own = named(model.name, profile)
            if own is not None:
                ladders.append(Ladder(model.name, profile, own, _candidates(model.name, own)))
    assumed = tuple(model.name for model in models() if model.assumed)
    return SizingRule(MARGIN, IDLE_MIB, FULL, COVERED, FEW, tuple(ladders), assumed)


def _unknown(one: Slice) -> str | None:
    """Why nothing can be said, if so."""
    if not was_sampled(one):
        return "nothing was sampled"
    if one.memory_peak_mib is None:
        return "its memory was not measured"
    if one.repartitioned:
        return "the slice was changed while the job ran"
    if one.profile is not None and _shares(one.profile):
        return "it is a compute instance, which shares its memory"
    return None


@lru_cache(maxsize=1024)
def _shares(profile: str) -> bool:
    return names.gi_profile(profile) != profile


def _doubts(one: Slice) -> tuple[str, ...]:
    found = []
    if one.coverage is None:
        found.append("how much of its time was sampled is not known")
    elif one.coverage < COVERED:
        found.append(f"only {one.coverage:.0%} of its time was sampled")
    if one.gaps:
        found.append(f"sampled with {one.gaps} gap{'s' * (one.gaps > 1)}")
    if one.samples is not None and one.samples < FEW:
        found.append(f"only {one.samples} sample{'s' * (one.samples > 1)}")
    return tuple(found)


def _need(own: Shape, one: Slice, peak_mib: float) -> Need:
    memory_mib = peak_mib * (1 + MARGIN) + IDLE_MIB
    activity, bandwidth = busy(one), one.dram_bandwidth_mean
    if activity is None:
        return Need(memory_mib, None, None)
    return Need(
        memory_mib,
        activity * own.compute * (1 + MARGIN),
        None if bandwidth is None else bandwidth * own.units * (1 + MARGIN),
    )


@lru_cache(maxsize=4096)
def _candidates(gpu_name: str | None, own: Shape) -> tuple[Shape, ...]:
    """What is smaller than `own` and can do the same kinds of work, from the smallest."""
    model = model_of(gpu_name)
    kind = "" if own.profile == "whole GPU" else names.parse(own.profile).attribute
    return tuple(
        shape
        for shape in (() if model is None else model.shapes)
        if names.parse(shape.profile).attribute == kind
        and shape.compute <= own.compute
        and shape.units <= own.units
        and (shape.compute, shape.units) != (own.compute, own.units)
    )


def _smallest(gpu_name: str | None, own: Shape, need: Need) -> str | None:
    for shape in _candidates(gpu_name, own):
        if (
            shape.memory_mib >= need.memory_mib
            and shape.compute >= (need.compute or 0)
            and shape.units >= (need.units or 0)
        ):
            return shape.profile
    return None
