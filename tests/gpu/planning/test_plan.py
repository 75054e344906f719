"""From any layout to any other, and what is said where there is no way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slurm_mig.gpu.partitioning import CiSpec, GiSpec, Layout, LiveGpu, WantedGi, WantedGpu
from slurm_mig.gpu.planning.placement import Why
from slurm_mig.gpu.planning.plan import GpuPlan, plan, toward
from slurm_mig.gpu.planning.plan_steps import (
    CreateCi,
    CreateGi,
    DestroyCi,
    DestroyGi,
    Reset,
    SetMode,
    Step,
)
from slurm_mig.model import MigMode, Placement
from tests.gpu.papergpu import UUID, PaperGpu, paper, want, wish, wishes
from tests.gpu.repeatable import REPEATABLE
from tests.layouts import layouts
from tests.sim.models import load, mig_keys

SOME = settings(REPEATABLE, max_examples=40)
OFF = WantedGpu(mig=False)
EMPTY = WantedGpu(mig=True)


def words(steps: tuple[Step, ...]) -> list[str]:
    """The steps in short."""
    return [_word(step) for step in steps]


def _word(step: Step) -> str:
    match step:
        case DestroyCi(_, gi, ci):
            return f"-{ci.ci_profile} in {gi.placement.start}"
        case DestroyGi(_, gi):
            return f"-{gi.profile}@{gi.placement.start}"
        case SetMode(_, on):
            return "on" if on else "off"
        case Reset():
            return "reset"
        case CreateGi(_, profile, placement):
            return f"+{profile}@{placement.start}"
        case CreateCi(_, placement, ci):
            return f"+{ci.ci_profile} in {placement.start}"


def planned(key: str, layout: str, *wanted: str) -> GpuPlan:
    made = plan(paper(key, layout).live(), want(*wanted))
    assert made.problems == ()
    return made


@pytest.mark.parametrize("key", mig_keys())
@SOME
@given(data=st.data())
def test_any_layout_becomes_any_other_and_is_put_back(key: str, data: st.DataObject) -> None:
    """On paper, where what a driver would refuse is refused."""
    model = load(key)
    gpu = paper(key, data.draw(layouts(model, without_ci=True)))
    wanted = data.draw(wishes(model))
    former = gpu.live()
    made = plan(former, wanted)
    assert made.problems == ()
    gpu.run(made.steps)
    assert_is_wanted(gpu.live(), wanted)
    assert plan(gpu.live(), wanted).steps == ()
    assert toward(gpu.live(), made.target).steps == ()
    before, after = ({gi.gi_id for gi in live.instances} for live in (former, gpu.live()))
    assert {gi.gi_id for gi in made.keep} == before & after
    gpu.run(toward(gpu.live(), made.former).steps)
    assert gpu.live().layout == former.layout
    gpu.run(toward(gpu.live(), made.target).steps)
    assert toward(gpu.live(), made.target).steps == ()
    assert plan(gpu.live(), wanted).steps == ()


def assert_is_wanted(live: LiveGpu, wanted: WantedGpu) -> None:
    """Each wish is one of the instances, with all SMs where it wants all of them."""
    left = list(live.instances)
    for one in sorted(wanted.instances, key=lambda wish: wish.start is None):
        cis = sorted(one.cis if one.cis is not None else (one.profile,))
        found = [
            gi
            for gi in left
            if gi.profile == one.profile
            and one.start in (None, gi.placement.start)
            and sorted(ci.spec.ci_profile for ci in gi.cis) == cis
        ]
        assert found, (one, left)
        left.remove(found[0])
        if one.cis is None:
            (profile,) = [each for each in live.profiles if each.profile == one.profile]
            assert [ci.sm_count for ci in found[0].cis] == [profile.sm_count]
    assert left == []


@pytest.mark.parametrize("key", mig_keys())
@SOME
@given(data=st.data())
def test_stopped_anywhere_it_can_go_on_or_back(key: str, data: st.DataObject) -> None:
    """After any number of steps: on to the target, or back to what was."""
    model = load(key)
    gpu = paper(key, data.draw(st.one_of(layouts(model, without_ci=True), st.just("off"))))
    former = gpu.live()
    made = plan(former, data.draw(st.one_of(wishes(model), st.just(OFF))))
    gpu.run(made.steps[: data.draw(st.integers(0, len(made.steps)))])
    other = gpu.copy()
    gpu.run(toward(gpu.live(), made.target).steps)
    assert toward(gpu.live(), made.target).steps == ()
    assert gpu.live().layout.mig == made.target.mig
    other.run(toward(other.live(), made.former).steps)
    assert other.live().layout == former.layout


def test_only_what_differs_is_touched() -> None:
    made = planned("a100-40gb", "7x1g.5gb", "3g.20gb", *["1g.5gb"] * 4)
    assert words(made.steps) == [
        *("-1g.5gb in 4", "-1g.5gb@4", "-1g.5gb in 5", "-1g.5gb@5", "-1g.5gb in 6", "-1g.5gb@6"),
        *("+3g.20gb@4", "+3g.20gb in 4"),
    ]
    assert [gi.placement.start for gi in made.keep] == [0, 1, 2, 3]
    assert not made.first_gi
    assert not made.needs_reset
    assert {step.gpu_uuid for step in made.steps} == {UUID}


def test_the_largest_come_first_whatever_the_order_of_the_wishes() -> None:
    """NVIDIA's known failure: 1g, 1g, 2g and then 3g, made in that order without places."""
    made = planned("a100-40gb", "mig", "1g.5gb", "1g.5gb", "2g.10gb", "3g.20gb")
    gis = [word for word in words(made.steps) if "@" in word]
    assert gis == ["+3g.20gb@4", "+2g.10gb@0", "+1g.5gb@2", "+1g.5gb@3"]
    assert made.first_gi


def test_only_the_compute_instances_that_differ() -> None:
    made = planned("a100-40gb", "3g.20gb@4:1c:1c:1c", "3g.20gb:2c:1c")
    assert words(made.steps) == [
        *("-1c.3g.20gb in 4", "-1c.3g.20gb in 4", "+2c.3g.20gb in 4"),
    ]
    assert len(made.keep) == 1
    assert [(ci.ci_profile, ci.start) for ci in made.target.instances[0].cis] == [
        ("2c.3g.20gb", 0),
        ("1c.3g.20gb", 2),
    ]


def test_the_compute_instance_with_all_multiprocessors() -> None:
    """An H100's 1g.20gb with 16 of its 26 SMs is not what is wanted."""
    made = planned("h100-80gb", "1g.20gb@6:id0", "1g.20gb")
    assert words(made.steps) == ["-1g.20gb in 6", "+1g.20gb in 6"]
    assert planned("h100-80gb", "1g.20gb@6", "1g.20gb").steps == ()


def test_an_instance_without_compute_instances() -> None:
    """A leftover: used where it fits, else destroyed."""
    made = planned("a100-40gb", "1g.5gb@3:none/1g.5gb@5:none", "1g.5gb", "2g.10gb@2")
    assert words(made.steps) == [
        *("-1g.5gb@3", "+1g.5gb in 5", "+2g.10gb@2", "+2g.10gb in 2"),
    ]
    assert planned("a100-40gb", "1g.5gb@3:none", "1g.5gb:none").steps == ()
    made = planned("a100-40gb", "1g.5gb@3", "1g.5gb:none")
    assert words(made.steps) == ["-1g.5gb in 3"]


def test_an_instance_of_an_unknown_profile_is_destroyed_by_its_name() -> None:
    live = paper("a100-40gb", "1g.5gb@3/2g.10gb@4").live()
    strange = live.instances[0]._replace(profile="1g.5gb+new")
    live = live._replace(instances=(strange, live.instances[1]))
    made = plan(live, want("2g.10gb"))
    assert words(made.steps) == ["-1g.5gb in 3", "-1g.5gb+new@3"]
    assert made.problems == ()
    assert plan(live, want("2g.10gb", "1g.5gb+new:none")).steps[0] == made.steps[0]
    assert plan(live, OFF).problems == ()


@pytest.mark.parametrize("key", mig_keys())
@pytest.mark.parametrize("now", [False, True])
@pytest.mark.parametrize("then", [False, True])
@pytest.mark.parametrize("wanted", [OFF, EMPTY, want("balanced")], ids=["off", "empty", "cut"])
def test_every_mode_to_every_mode(key: str, now: bool, then: bool, wanted: WantedGpu) -> None:
    """Also from a change that somebody left pending. A GPU that is right is not touched."""
    if wanted.instances:
        profile = load(key).profiles[0].name
        wanted = want(profile, profile)
    gpu = paper(key, "mig" if now else "off")
    gpu.mode = MigMode(now, then)
    made = plan(gpu.live(), wanted)
    assert made.problems == ()
    gpu.run(made.steps)
    assert gpu.mode == MigMode(wanted.mig, wanted.mig)
    assert len(gpu.instances) == len(wanted.instances)
    assert plan(gpu.live(), wanted).steps == ()
    differs = now != wanted.mig
    assert made.needs_reset == (differs and load(key).reset_for_mode)
    assert any(isinstance(step, SetMode | Reset) for step in made.steps) == (differs or then != now)
    assert made.first_gi == bool(wanted.instances)


def test_a_pending_change_is_taken_back_around_what_stays() -> None:
    """Ampere, MIG to go off at the next reset: it is to stay, and so are its instances."""
    gpu = paper("a100-40gb", "7x1g.5gb")
    gpu.mode = MigMode(current=True, pending=False)
    made = plan(gpu.live(), want(*["1g.5gb"] * 7))
    assert words(made.steps) == ["on"]
    assert len(made.keep) == 7
    off = plan(gpu.live(), OFF)
    assert words(off.steps)[-2:] == ["-1g.5gb@6", "reset"]


def test_a_busy_gpu_left_the_mode_of_a_hopper_pending() -> None:
    """No reset helps there: it is asked again."""
    gpu = paper("h100-80gb", "off")
    gpu.mode = MigMode(current=False, pending=True)
    assert words(plan(gpu.live(), EMPTY).steps) == ["on"]


def test_a_driver_that_tells_no_profiles_while_mig_is_off() -> None:
    gpu = paper("a100-40gb", "off")
    made = plan(gpu.live(hide_profiles=True), want("3g.20gb", "9g.99gb"))
    assert made.unsolved
    assert made.problems == ()
    assert words(made.steps) == ["on", "reset"]
    assert made.needs_reset
    gpu.run(made.steps)
    again = plan(gpu.live(), want("3g.20gb"))
    assert not again.unsolved
    assert words(again.steps) == ["+3g.20gb@4", "+3g.20gb in 4"]
    # Nothing is to be solved here.
    for wanted in (OFF, EMPTY):
        assert not plan(paper("a100-40gb", "off").live(hide_profiles=True), wanted).unsolved


def test_a_driver_that_tells_no_profiles_at_all() -> None:
    live = paper("a100-40gb", "3g.20gb@4").live(hide_profiles=True)
    assert plan(live, want("3g.20gb")).steps == ()
    (problem,) = plan(live, want("3g.20gb", "1g.5gb")).problems
    assert "no profile 3g.20gb: the driver names none" in problem
    assert words(plan(live, OFF).steps)[:2] == ["-3g.20gb in 4", "-3g.20gb@4"]


def test_what_does_not_fit_changes_nothing() -> None:
    live = paper("a100-40gb", "7x1g.5gb").live()
    made = plan(live, want("3g.20gb", "3g.20gb", "1g.5gb"))
    assert made.steps == ()
    assert made.keep == live.instances
    assert made.former == made.target == live.layout
    (problem,) = made.problems
    assert problem == (
        "GPU 0 (NVIDIA A100-SXM4-40GB): 2x3g.20gb + 1g.5gb needs 9 of 8 memory units, though 7 "
        "of 7 compute slices would do (what fits: 3g.20gb + 2g.10gb + 1g.5gb)"
    )
    assert made.impossible is not None
    assert [reason.why for reason in made.impossible.reasons] == [Why.UNITS]
    assert made.impossible.nearest == tuple(map(wish, ("3g.20gb", "2g.10gb", "1g.5gb")))


def test_every_problem_at_once() -> None:
    live = paper("a100-40gb").live()
    made = plan(live, want("3g.20gb:2c:2c", "4g.20gb:3c", "7g.80gb", "1g.5gb@9"))
    assert made.steps == ()
    two, three, solver = made.problems
    assert "2c.3g.20gb + 2c.3g.20gb has 4 slices" in two
    assert "a 4g.20gb offers no 3c.4g.20gb" in three
    assert "no profile 7g.80gb" in solver
    assert "1g.5gb cannot start at 9" in solver
    assert all(problem.startswith("GPU 0 (NVIDIA A100-SXM4-40GB): ") for problem in made.problems)


def test_instances_with_mig_off() -> None:
    live = paper("a100-40gb", "3g.20gb").live()
    made = plan(live, WantedGpu(False, (WantedGi("3g.20gb"),)))
    assert made.steps == ()
    (problem,) = made.problems
    assert "instances are wanted with MIG off" in problem


def test_a_gpu_that_cannot_do_mig() -> None:
    gpu = PaperGpu(load("l40s"), MigMode(False, False))
    assert plan(gpu.live(), OFF) == toward(gpu.live(), Layout(False))
    assert plan(gpu.live(), OFF).problems == ()
    assert plan(gpu.live(), OFF).steps == ()
    for made in (plan(gpu.live(), EMPTY), toward(gpu.live(), Layout(True))):
        assert made.steps == ()
        (problem,) = made.problems
        assert problem.startswith("GPU 0 (NVIDIA L40S): it cannot do MIG")


def test_busy_ones_in_the_way_are_named_and_the_plan_is_given() -> None:
    live = paper("a100-40gb", "7x1g.5gb").live()
    busy = frozenset({Placement(0, 1), Placement(6, 1), Placement(3, 1)})
    made = plan(live, want("3g.20gb", "3g.20gb"), busy)
    assert [gi.placement.start for gi in made.in_the_way] == [0, 3, 6]
    assert len(made.problems) == 3
    assert made.problems[0] == (
        "GPU 0 (NVIDIA A100-SXM4-40GB): 1g.5gb@0 (GPU instance 101) is in use and in the way: "
        "end or await what runs on it"
    )
    assert words(made.steps)[-4:] == ["+3g.20gb@0", "+3g.20gb in 0", "+3g.20gb@4", "+3g.20gb in 4"]
    assert plan(live, want("3g.20gb", *["1g.5gb"] * 4), busy - {Placement(6, 1)}).problems == ()


def test_a_busy_one_may_get_compute_instances_but_lose_none() -> None:
    live = paper("a100-40gb", "3g.20gb@4:1c").live()
    busy = frozenset({Placement(4, 4)})
    assert plan(live, want("3g.20gb:1c:1c"), busy).problems == ()
    made = plan(live, want("3g.20gb"), busy)
    assert made.in_the_way == live.instances
    assert made.keep == live.instances
    assert len(made.problems) == 1
    assert words(made.steps) == ["-1c.3g.20gb in 4", "+3g.20gb in 4"]


def test_toward_is_exact() -> None:
    """Of compute instances too: their ids and their starts."""
    live = paper("h100-80gb", "1g.20gb@6/3g.40gb@0:1c:2c").live()
    three, double = live.layout.instances
    assert toward(live, live.layout).steps == ()
    other = Layout(True, (three, GiSpec("1g.20gb", Placement(6, 2), (CiSpec("1g.20gb", 0, 0),))))
    assert words(toward(live, other).steps) == ["-1g.20gb in 6", "+1g.20gb in 6"]
    moved = three._replace(cis=(CiSpec("1c.3g.40gb", 0, 0), CiSpec("1c.3g.40gb", 0, 2)))
    made = toward(live, Layout(True, (moved, double)))
    assert words(made.steps) == ["-2c.3g.40gb in 0", "+1c.3g.40gb in 0"]
    assert made.target == Layout(True, (moved, double))
    without = toward(live, Layout(True, (three._replace(cis=()),)))
    assert words(without.steps) == [
        *("-2c.3g.40gb in 0", "-1c.3g.40gb in 0", "-1g.20gb in 6", "-1g.20gb@6"),
    ]


def test_toward_names_the_busy_too() -> None:
    live = paper("h100-80gb", "1g.20gb@6").live()
    made = toward(live, Layout(True), frozenset({Placement(6, 2)}))
    assert made.in_the_way == live.instances


def test_toward_a_layout_that_is_none_any_more() -> None:
    """A new driver calls it otherwise, or cuts it otherwise: nothing is begun."""
    live = paper("a100-40gb", "7x1g.5gb").live()
    renamed = Layout(True, (GiSpec("3g.21gb", Placement(4, 4), ()),))
    made = toward(live, renamed)
    assert made.steps == ()
    assert len(made.problems) == 2
    assert made.impossible is not None
    assert made.impossible.reasons[0].why == Why.UNKNOWN_PROFILE
    narrower = toward(live, Layout(True, (GiSpec("3g.20gb", Placement(4, 3), ()),)))
    assert narrower.steps == ()
    assert narrower.problems == (
        "GPU 0 (NVIDIA A100-SXM4-40GB): it has no such layout, as it is now",
    )


def test_toward_without_profiles_trusts_the_journal() -> None:
    """MIG is off, and the driver tells none: it judges when it is asked."""
    former = paper("a100-40gb", "3g.20gb@4:2c/1g.5gb@0").live().layout
    gpu = paper("a100-40gb", "off")
    gpu.run(toward(gpu.live(hide_profiles=True), former).steps)
    assert gpu.live().layout == former
