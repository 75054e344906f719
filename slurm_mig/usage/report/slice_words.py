"""What is said of one slice in a sentence."""

from slurm_mig.usage.report.models import memory_of
from slurm_mig.usage.report.sizing import Advice
from slurm_mig.usage.report.words import UNKNOWN, duration, number, percent, text
from slurm_mig.usage.report.words import memory_of as of_memory
from slurm_mig.usage.store.nouns import Slice


def hint(one: Slice, advice: Advice) -> str:
    """The advice, its basis, and its doubts."""
    if advice.verdict == "unknown":
        return f"no advice on its size: {advice.why}"
    peak = f"peak memory {of_memory(one.memory_peak_mib, memory_of(one))}"
    basis = " by its memory (its activity is not known)" if advice.by_memory_only else ""
    if advice.verdict == "smaller":
        said = f"hint: {peak}: {text(advice.profile)} would have done{basis}"
    elif advice.verdict == "full":
        said = f"{peak}: nearly full, a larger slice may do better"
    else:
        said = f"{peak}: nothing smaller would have done{basis}"
    return said + doubts(advice)


def doubts(advice: Advice) -> str:
    """Why an advice is uncertain, to be put behind it; empty where it is not."""
    return f"; uncertain: {', '.join(advice.doubts)}" if advice.doubts else ""


def sampling(one: Slice) -> str:
    """How often and how much of its time a slice was sampled."""
    period = UNKNOWN if one.period_s is None else f"{number(one.period_s)} s"
    said = f"sampled every {period}, {percent(one.coverage)} of the time"
    if not one.gaps:
        return said
    return f"{said}, {one.gaps} gap{'s' * (one.gaps > 1)} ({duration(one.gap_s)})"
