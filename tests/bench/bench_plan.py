"""The solver's worst cases, and how much a plan destroys: against the least, and the usual way.

`python -m tests.bench.bench_plan`: all sets of all models; then 200 random changes, always the
same ones, each planned, held to the least of all ways where four instances at most are wanted,
and made as mig-parted does it (teardown.py) on the simulated driver.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from typing import NamedTuple

from slurm_mig.gpu.partitioning import GiProfile, WantedGi, WantedGpu
from slurm_mig.gpu.planning.placement import solve
from slurm_mig.gpu.planning.plan import GpuPlan, plan
from slurm_mig.gpu.planning.plan_steps import CreateGi, DestroyGi
from slurm_mig.model import Placement, ProfileId
from tests.bench import teardown
from tests.gpu import oracle
from tests.gpu.exact import least
from tests.gpu.papergpu import PaperGpu, paper, profiles
from tests.layouts import PlacedGi
from tests.sim.api import Sim
from tests.sim.models import load, mig_keys

RUNS = 15
CHANGES = 200
SMALL = 4  # wanted instances, of which all ways can be tried
MODELS = ("a100-40gb", "h100-80gb", "a30-24gb", "rtx-pro-6000-96gb")
Names = tuple[str, ...]


def microseconds(work: Callable[[], object]) -> float:
    """CPU time of one run, the best of three: others use this machine too."""
    return min(_once(work) for _ in range(3))


def _once(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1e6


def median_of(work: Callable[[], object]) -> float:
    """The median of RUNS runs, in microseconds."""
    return median(_once(work) for _ in range(RUNS))


def question(offered: Sequence[GiProfile], names: Names) -> Callable[[], object]:
    """To solve this set on the empty GPU."""
    wanted = [WantedGi(name) for name in names]
    return lambda: solve(offered, (), wanted)


def report_solver() -> None:
    """A line a model for the sets that fit, one for those that are one larger and do not."""
    for key in mig_keys():
        offered, possible = profiles(load(key)), set(oracle.by_names(key))
        larger = {tuple(sorted((*names, each.profile))) for names in possible for each in offered}
        for what, sets in (("fit", possible), ("do not", larger - possible)):
            took = {names: microseconds(question(offered, names)) for names in sorted(sets)}
            worst = max(took, key=lambda names: took[names])
            print(
                f"{key:<18} {len(sets):>4} sets that {what:<6} median {median(took.values()):6.0f}"
                f" us, worst {median_of(question(offered, worst)):6.0f} us ({_short(worst)})"
            )


def _short(names: Names) -> str:
    return "+".join(f"{count}x{name}" for name, count in Counter(names).items())


def report_twelve() -> None:
    """A GPU that nobody sells: twelve places of one unit, in three kinds."""
    kinds = ("1g.1gb", "1g.1gb+gfx", "1g.1gb-me")
    places = tuple(Placement(start, 1) for start in range(12))
    offered = tuple(GiProfile(kind, ProfileId(0), 1, 1, 1, 12, places) for kind in kinds)
    for count in (6, 12, 13):
        for some in (kinds[:1], kinds):
            names = tuple(some[at % len(some)] for at in range(count))
            spent = median_of(question(offered, names))
            print(f"12 units, {count:>2} of one unit in {len(some)} kinds: {spent:9.0f} us")


class Change(NamedTuple):
    """A random change: from a layout to a set of profiles, with one busy instance if any."""

    key: str
    former: tuple[PlacedGi, ...]
    wanted: Names
    busy: frozenset[Placement]

    @property
    def layout(self) -> str:
        """The former layout in the simulator's language."""
        return "/".join(str(gi) for gi in self.former)

    @property
    def wishes(self) -> tuple[WantedGi, ...]:
        """What is wanted, anywhere, each with one compute instance."""
        return tuple(WantedGi(name) for name in self.wanted)

    def gpu(self) -> PaperGpu:
        """The GPU as it was."""
        return paper(self.key, self.layout or "mig")


def changes() -> Iterator[Change]:
    """CHANGES of them, the models in turn."""
    random = Random(4)
    for number in range(CHANGES):
        key = MODELS[number % len(MODELS)]
        former, after = (random.choice(oracle.every_layout(key)) for _ in range(2))
        busy = {oracle.place(random.choice(former))} if former else set()
        yield Change(key, former, oracle.names(after), frozenset(busy))


def destroyed(made: GpuPlan) -> int:
    """GPU instances that the plan destroys."""
    return sum(isinstance(step, DestroyGi) for step in made.steps)


def report_changes() -> None:
    """Ours against the least, and against the usual way."""
    every = list(changes())
    questions = [
        partial(plan, change.gpu().live(), WantedGpu(True, change.wishes)) for change in every
    ]
    plans, took = [ask() for ask in questions], [microseconds(ask) for ask in questions]
    print(f"{len(plans)} plans: median {median(took):.0f} us, worst {max(took):.0f} us")
    report_least(every, plans)
    report_usual(every, plans)
    report_busy(every)


def report_least(every: Sequence[Change], plans: Sequence[GpuPlan]) -> None:
    """Destroys and creates on the small cases, where all ways were tried."""
    ours, fewest = Counter[str](), Counter[str]()
    cases = [pair for pair in zip(every, plans, strict=True) if len(pair[0].wanted) <= SMALL]
    for change, made in cases:
        gis = least(change.gpu(), change.wishes)[1]
        ours["destroys"] += destroyed(made)
        ours["creates"] += sum(isinstance(step, CreateGi) for step in made.steps)
        fewest["destroys"] += gis
        fewest["creates"] += len(change.wanted) - (len(change.former) - gis)
    for what in ("destroys", "creates"):
        equal = "equal" if ours[what] == fewest[what] else "MORE THAN NEEDED"
        print(f"{len(cases)} small changes: {ours[what]} {what}, the least {fewest[what]}: {equal}")


def report_usual(every: Sequence[Change], plans: Sequence[GpuPlan]) -> None:
    """What survives, and what is destroyed, in ours and when all is torn down."""
    usual = []
    with tempfile.TemporaryDirectory() as folder:
        sims = {key: Sim.new(Path(folder, key), [f"{key}=mig"]) for key in MODELS}
        for change in every:
            teardown.prepare(sims[change.key], change.layout)
            live = [gi.profile.name for gi in change.former]
            usual.append(teardown.apply(sims[change.key], live, change.wanted))
    there = sum(len(change.former) for change in every)
    ours, theirs = sum(len(made.keep) for made in plans), sum(one.survivors for one in usual)
    print(
        f"of {there} instances survive {ours}, {theirs} when torn down: {ours / theirs:.1f} times"
    )
    gone, torn = sum(map(destroyed, plans)), sum(one.destroyed for one in usual)
    print(f"destroyed {gone}, {torn} when torn down: {gone / torn:.2f}")
    most, failed = max(one.tries for one in usual), sum(not one.done for one in usual)
    tries = sum(one.tries for one in usual)
    print(f"orders tried when torn down: {tries}, {most} for one change; {failed} left empty")


def report_busy(every: Sequence[Change]) -> None:
    """The same with one busy instance on every GPU that is cut."""
    cut = [change for change in every if change.busy]
    wanted = [WantedGpu(True, change.wishes) for change in cut]
    ways = [
        plan(change.gpu().live(), wish, change.busy)
        for change, wish in zip(cut, wanted, strict=True)
    ]
    possible = sum(not made.problems for made in ways)
    same = sum(
        Counter(gi.profile.name for gi in change.former) == Counter(change.wanted) for change in cut
    )
    print(f"one instance busy, {len(cut)} changes: possible {possible}, {same} when torn down")


def main() -> None:
    """Print all of it."""
    report_solver()
    report_twelve()
    report_changes()


if __name__ == "__main__":
    main()
