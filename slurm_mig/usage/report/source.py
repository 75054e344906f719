"""Where a report has its rows from. Pure."""

from collections.abc import Iterator
from typing import Protocol

from slurm_mig.usage.store.asking import IdleRows, Sizing, Total
from slurm_mig.usage.store.nouns import Curves, Held


class Source(Protocol):
    """The rows that a report is about, each once, their sums, and how they are judged."""

    def rows(self) -> Iterator[Held]:
        """By end (unknown ones last), job id, record id and position."""

    def curves(self) -> Curves:
        """The curves of these slices, by (record id, position); for the rows of single jobs."""

    def totals(self, *by: str) -> list[Total]:
        """Summed by the values of `by`, the most slice hours first; by nothing: one, or none."""

    def sizing(self) -> list[Sizing]:
        """What sizing.advise() says of them, counted, in no order."""

    def idle(self, most: int) -> IdleRows:
        """Those of which idle.idle() says something; at most so many of them, the longest first."""
