"""A metric and its values, before any format. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

GAUGE, COUNTER = "gauge", "counter"


class Value(NamedTuple):
    """One line of a metric: the values of its labels, in their order, and its own."""

    labels: tuple[str, ...]
    value: float


class Series(NamedTuple):
    """A metric. A counter's name is without the _total that its lines get.

    A metric without values is not shown: what is unknown is absent, never 0.
    """

    name: str
    kind: str
    help: str
    labels: tuple[str, ...]
    values: tuple[Value, ...]


def series(
    name: str,
    kind: str,
    text: str,
    labels: Sequence[str],
    rows: Sequence[tuple[Sequence[str], float | None]],
) -> Series:
    """A metric of those rows whose value is known."""
    known = tuple(Value(tuple(words), float(value)) for words, value in rows if value is not None)
    return Series(f"slurm_mig_{name}", kind, text, tuple(labels), known)
