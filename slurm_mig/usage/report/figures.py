"""What a row of a report tells of its slice, where that needs a word. Pure."""

from slurm_mig.usage.store.nouns import Slice


def busy(one: Slice) -> float | None:
    """The mean share of its SMs that computed; where that is not told, of time that anything did.

    None: unknown, or known only together with those who share its GPU instance.
    """
    if one.activity_shared_gi is not False:
        return None
    return one.graphics_mean if one.sm_mean is None else one.sm_mean


def was_sampled(one: Slice) -> bool:
    """Whether anything was measured while the job had it."""
    return bool(one.samples)
