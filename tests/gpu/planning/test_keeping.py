"""Which instances stay: as many as can, the busy ones before all."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slurm_mig.gpu.partitioning import LiveGpu, WantedGi
from slurm_mig.gpu.planning.keeping import Pair, best
from slurm_mig.gpu.planning.plan import plan
from slurm_mig.gpu.planning.plan_steps import DestroyCi, DestroyGi, Step
from slurm_mig.model import Placement
from tests.gpu.exact import Busy, Loss, least
from tests.gpu.papergpu import PaperGpu, paper, want, wishes
from tests.gpu.repeatable import REPEATABLE
from tests.layouts import layouts
from tests.sim.models import load


def kept(layout: str, *wanted: str, busy: str = "", key: str = "a100-40gb") -> list[str]:
    """ "2g.10gb@0" of those that stay, by their starts; `busy` are starts."""
    live = paper(key, layout).live()
    return [
        f"{pair.live.profile}@{pair.live.placement.start}"
        for pair in pairs(live, busy, *wanted)
        if pair.live
    ]


def pairs(live: LiveGpu, busy: str, *wanted: str) -> list[Pair]:
    starts = {int(start) for start in busy.split()}
    places = frozenset(gi.placement for gi in live.instances if gi.placement.start in starts)
    found = best(live.profiles, live.instances, want(*wanted).instances, places)
    assert found is not None
    return sorted(found, key=lambda pair: pair.target.placement)


@pytest.mark.parametrize(
    ("layout", "wanted", "busy", "stay"),
    [
        ("7x1g.5gb", ["1g.5gb"] * 7, "", 7),
        ("7x1g.5gb", ["7g.40gb"], "", 0),
        ("7x1g.5gb", ["3g.20gb"] + ["1g.5gb"] * 4, "", 4),
        ("7x1g.5gb", ["3g.20gb"] + ["1g.5gb"] * 3, "", 3),
        ("1g.5gb@0/3g.20gb@4", ["4g.20gb", "3g.20gb"], "", 1),
        ("3g.20gb@0", ["4g.20gb", "3g.20gb"], "", 0),
        ("3g.20gb@0", ["4g.20gb", "3g.20gb"], "0", 0),
        ("2g.10gb@2/2g.10gb@4", ["3g.20gb", "2g.10gb"], "", 1),
    ],
)
def test_how_many_stay(layout: str, wanted: list[str], busy: str, stay: int) -> None:
    assert len(kept(layout, *wanted, busy=busy)) == stay


@pytest.mark.parametrize(
    ("busy", "stay"),
    [
        ("", ["1g.5gb@0", "1g.5gb@1", "1g.5gb@2", "1g.5gb@3"]),
        ("6", ["1g.5gb@4", "1g.5gb@5", "1g.5gb@6"]),
        ("0", ["1g.5gb@0", "1g.5gb@1", "1g.5gb@2", "1g.5gb@3"]),
        ("0 1 6", ["1g.5gb@0", "1g.5gb@1", "1g.5gb@2", "1g.5gb@3"]),
        ("3 5 6", ["1g.5gb@4", "1g.5gb@5", "1g.5gb@6"]),
    ],
)
def test_the_busy_ones_come_first(busy: str, stay: list[str]) -> None:
    """Even where more of the others must go then: a 3g has two places, and leaves 4 or 3."""
    assert kept("7x1g.5gb", "3g.20gb", *["1g.5gb"] * len(stay), busy=busy) == stay


def test_a_wish_with_a_start_gets_the_one_that_is_there() -> None:
    live = paper("a100-40gb", "2x1g.5gb").live()
    first, second = live.instances
    found = pairs(live, "", "1g.5gb", f"1g.5gb@{first.placement.start}")
    assert [pair.live for pair in found] == [first, second]


def test_the_one_whose_compute_instances_fit_is_taken() -> None:
    """Both 3g stay; which is which of the wishes decides what goes inside them."""
    live = paper("a100-40gb", "3g.20gb@0:1c:1c:1c/3g.20gb@4").live()
    found = pairs(live, "", "3g.20gb", "3g.20gb:1c:1c:1c")
    assert [len(pair.target.cis) for pair in found] == [3, 1]


def test_a_busy_one_is_not_changed_inside_where_another_can_be() -> None:
    """Though more compute instances go then: three, where one would have done."""
    live = paper("a100-40gb", "3g.20gb@0:1c/3g.20gb@4:1c:1c:1c").live()
    wishes = ("3g.20gb:none", "3g.20gb:1c:1c:1c")
    assert [len(pair.target.cis) for pair in pairs(live, "", *wishes)] == [0, 3]
    assert [len(pair.target.cis) for pair in pairs(live, "4", *wishes)] == [0, 3]
    assert [len(pair.target.cis) for pair in pairs(live, "0", *wishes)] == [3, 0]


def test_equal_losses_leave_the_most_room() -> None:
    """A 1g may stay anywhere: the one at 6 leaves the 4g and all of the 2g."""
    assert kept("7x1g.5gb", "1g.5gb") == ["1g.5gb@6"]
    assert kept("2x3g.20gb", "3g.20gb") == ["3g.20gb@4"]


def test_what_does_not_fit_at_all() -> None:
    live = paper("a100-40gb", "3g.20gb@4").live()
    wanted = want("3g.20gb", "3g.20gb", "1g.5gb").instances
    assert best(live.profiles, live.instances, wanted, frozenset()) is None
    assert best((), (), wanted, frozenset()) is None
    assert best((), (), (), frozenset()) == ()


def test_an_unknown_one_stays_where_it_is_wanted() -> None:
    live = paper("a100-40gb", "3g.20gb@4/1g.5gb@0").live()
    strange = live.instances[1]._replace(profile="3g.21gb")
    wanted = [WantedGi("3g.21gb"), WantedGi("1g.5gb")]
    found = best(live.profiles, (live.instances[0], strange), wanted, frozenset())
    assert found is not None
    assert [pair.live for pair in found] == [strange, live.instances[0]]
    assert best(live.profiles, (strange,), [*wanted, wanted[0]], frozenset()) is None


def destroyed(steps: tuple[Step, ...], busy: Busy) -> Loss:
    """What the steps of a plan destroy."""
    kinds = Counter(type(step) for step in steps)
    harmed = {step.gi.placement for step in steps if isinstance(step, DestroyCi | DestroyGi)} & busy
    return len(harmed), kinds[DestroyGi], kinds[DestroyCi]


def some_busy(data: st.DataObject, gpu: PaperGpu) -> frozenset[Placement]:
    return frozenset(place for place in gpu.instances if data.draw(st.booleans()))


@pytest.mark.parametrize("key", ["a30-24gb", "rtx-pro-6000-96gb"])
@settings(REPEATABLE, max_examples=150)
@given(data=st.data())
def test_nothing_less_would_do(key: str, data: st.DataObject) -> None:
    """Against all ways, on GPUs of four instances at most."""
    gpu = paper(key, data.draw(layouts(load(key), without_ci=True)))
    busy, wanted = some_busy(data, gpu), data.draw(wishes(load(key)))
    made = plan(gpu.live(), wanted, busy)
    assert destroyed(made.steps, busy) == least(gpu, wanted.instances, busy)
    assert len(made.in_the_way) == destroyed(made.steps, busy)[0]


@settings(REPEATABLE, max_examples=150)
@given(data=st.data())
def test_nothing_less_would_do_on_an_a100(data: st.DataObject) -> None:
    """The same of eight units, where at most four instances are wanted; live are up to seven."""
    model = load("a100-40gb")
    gpu = paper(model.key, data.draw(layouts(model, without_ci=True)))
    busy = some_busy(data, gpu)
    wanted = data.draw(wishes(model).filter(lambda wanted: len(wanted.instances) <= 4))
    made = plan(gpu.live(), wanted, busy)
    assert destroyed(made.steps, busy) == least(gpu, wanted.instances, busy)
