"""The three clocks that the monitor reads: a port, and the machine's own."""

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds on each clock."""

    def boottime_s(self) -> float:
        """Since boot, suspends counted; nobody sets it."""

    def monotonic_s(self) -> float:
        """The same without suspends: that the two drift apart is how a sleep is seen."""

    def unix_s(self) -> float:
        """The wall's, which steps: for people only, never for a duration."""


class MachineClock:
    """The kernel's."""

    def boottime_s(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def monotonic_s(self) -> float:
        return time.clock_gettime(time.CLOCK_MONOTONIC)

    def unix_s(self) -> float:
        return time.time()
