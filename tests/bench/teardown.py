"""The usual way to repartition a GPU, as mig-parted does it: tear down, and try an order.

If the names and numbers differ, everything on the GPU is destroyed, and the instances are made
from the largest number of slices down, without places; where one is refused, everything is
destroyed again and the next order is tried. Where no order succeeds, the GPU stays empty.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tests.sim import library
from tests.sim.api import Sim
from tests.sim.layout import plan
from tests.sim.models import GpuModel


class Outcome(NamedTuple):
    """What it took. `survivors` are GPU instances that were there all the time."""

    tries: int
    destroyed: int
    created: int
    survivors: int
    done: bool


def prepare(sim: Sim, layout: str) -> None:
    """Cut GPU 0 so: "" is an empty GPU. Compute instances are left out: none of this asks them."""
    library.must("clear", sim.dir, 0)
    for gi in plan(sim.model(0), layout or "mig"):
        code, _ = _create(sim, gi.profile.profile_id, gi.start)
        if code != 0:
            raise RuntimeError(f"{layout} is not possible: {code}")


def apply(sim: Sim, live: Sequence[str], wanted: Sequence[str]) -> Outcome:
    """Bring GPU 0, which holds `live`, to `wanted`: both by their profiles."""
    if Counter(live) == Counter(wanted):
        return Outcome(0, 0, 0, len(live), True)
    model, there = sim.model(0), len(live)
    tries = destroyed = created = 0
    for order in _orders(_flat(model, wanted)):
        tries += 1
        destroyed += there
        library.must("clear", sim.dir, 0)
        there = _make(sim, model, order)
        created += there
        if there == len(order):
            return Outcome(tries, destroyed, created, 0, True)
    return Outcome(tries, destroyed + there, created, 0, False)


def _make(sim: Sim, model: GpuModel, order: Sequence[str]) -> int:
    """How many of these could be made, where the driver put them."""
    for number, name in enumerate(order):
        if _create(sim, model.profile(name).profile_id, library.NONE)[0] != 0:
            return number
    return len(order)


def _create(sim: Sim, profile_id: int, start: int) -> tuple[int, int]:
    return library.create("create_gi", sim.dir, 0, profile_id, start)


def _flat(model: GpuModel, wanted: Sequence[str]) -> list[str]:
    return sorted(wanted, key=lambda name: (-model.profile(name).slices, name))


def _orders(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Every order once: equal ones are not swapped. The one given comes first."""
    if not names:
        yield ()
    for name in dict.fromkeys(names):
        at = names.index(name)
        for rest in _orders([*names[:at], *names[at + 1 :]]):
            yield (name, *rest)
