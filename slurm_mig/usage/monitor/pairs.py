"""GPM samples in pairs: activity is what lies between two of one GPU instance. No pair goes over
a change: a counter of another incarnation would make nonsense of it."""

from typing import NamedTuple

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.nvml.usage_port import UsageNvml
from slurm_mig.model import GiId, GpuIndex
from slurm_mig.usage.monitor.clock import Clock

Of = tuple[GpuIndex, GiId | None]


class Stretch(NamedTuple):
    """What GPM says of a time (CLOCK_BOOTTIME), in the order of GPM_METRICS."""

    from_s: float
    to_s: float
    ratios: tuple[float | None, ...]


class _Sample(NamedTuple):
    taken_s: float
    counters: object


class Pairs:
    """The last sample of each GPU instance that is watched, and one to be overwritten."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: dict[Of, _Sample] = {}
        self._spare: list[object] = []

    def drop(self) -> None:
        """Forget all: the session that they are of has ended."""
        self._last, self._spare = {}, []

    def break_off(self) -> None:
        """Begin anew everywhere: time went by that is not to be counted."""
        self._spare += [one.counters for one in self._last.values()]
        self._last = {}

    def keep(self, wanted: set[Of]) -> None:
        """Forget the GPU instances on which there is no job any more."""
        for of in self._last.keys() - wanted:
            self._spare.append(self._last.pop(of).counters)

    def has(self, of: Of) -> bool:
        """Whether the next sample makes a pair."""
        return of in self._last

    def next(self, nvml: UsageNvml, of: Of) -> Stretch | None:
        """Take a sample; what lies between it and the last, None for the first. Raises NvmlError.

        Two samples that are too close tell nothing: then the older one stays.
        """
        last = self._last.pop(of, None)
        spare = self._spare.pop() if self._spare else None
        try:
            counters = spare = nvml.gpm_sample(*of, spare)
            now = _Sample(self._clock.boottime_s(), counters)
            ratios = nvml.gpm_between(last.counters, counters) if last else ()
        except NvmlError:
            self._spare += [one for one in (spare, last and last.counters) if one is not None]
            raise
        if last is None:
            self._last[of] = now
            return None
        if all(ratio is None for ratio in ratios):
            self._last[of] = last
            self._spare.append(now.counters)
            return None
        self._last[of] = now
        self._spare.append(last.counters)
        return Stretch(last.taken_s, now.taken_s, ratios)
