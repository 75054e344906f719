"""A GPU's energy, and how much of it is a slice's: its share of the compute slices. Pure.

An estimate: no GPU tells energy of less than all of it. Idle slices get their share too, and
shares add up to 1 at most, so what all slices are given is never more than the GPU used.
"""

from typing import NamedTuple

from slurm_mig.usage import sums
from slurm_mig.usage.sums import Row


class Power(NamedTuple):
    """A GPU at one moment. `energy_mj` is its counter; None: it has none, or did not answer."""

    energy_mj: int | None
    power_w: float | None


def add(gpu: Row, slices: list[Row], before: Power | None, now: Power, now_s: float) -> None:
    """Add a reading. `before` None: it follows none.

    The counter goes on when nobody looks, so it tells what a gap took; power alone does not.
    """
    if now.power_w is not None:
        gpu.stat(sums.POWER).see(now.power_w)
    known = gpu[sums.POWER_BY]
    if now.energy_mj is not None and known != sums.BY_POWER:
        gpu[sums.POWER_BY] = sums.BY_COUNTER
        spent_j = (now.energy_mj - gpu[sums.LAST_MJ]) / 1000 if known else -1.0
    elif now.power_w is not None and known != sums.BY_COUNTER:
        gpu[sums.POWER_BY] = sums.BY_POWER
        watts = None if before is None else before.power_w
        mean_w = None if watts is None else (watts + now.power_w) / 2
        spent_j = -1.0 if mean_w is None else mean_w * (now_s - gpu[sums.POWER_LAST_S])
    else:
        return
    _spend(gpu, slices, spent_j, now_s - gpu[sums.POWER_LAST_S])
    gpu[sums.POWER_LAST_S] = now_s
    gpu[sums.LAST_MJ] = float(now.energy_mj or 0)


def _spend(gpu: Row, slices: list[Row], joules: float, seconds: float) -> None:
    """Less than none: nothing was before, or the driver's counter began anew."""
    if joules < 0 or seconds <= 0:
        return
    stat = gpu.stat(sums.POWER)
    stat.see(joules / seconds)
    stat.last(joules / seconds, seconds)
    for row in slices:
        if row[sums.SHARE]:
            row[sums.ENERGY_IS] = 1.0
            row[sums.JOULES] += joules * row[sums.SHARE]
