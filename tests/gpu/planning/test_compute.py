"""Compute instances: what a GPU instance holds, and the fewest that go."""

from collections.abc import Sequence
from itertools import combinations_with_replacement

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.gpu.partitioning import CiSpec, GiProfile, LiveCi
from slurm_mig.gpu.planning.compute import change, problems_of, satisfies, whole
from slurm_mig.gpu.planning.plan_steps import CreateCi, DestroyCi
from slurm_mig.model import CiId, ProfileId
from tests.gpu.exact import most_kept
from tests.gpu.papergpu import UUID, PaperGpu, Refusal, paper, profiles
from tests.gpu.repeatable import REPEATABLE
from tests.layouts import ci_divisions
from tests.sim.models import load, mig_keys

H100 = {each.profile: each for each in profiles(load("h100-80gb"))}
A100 = {each.profile: each for each in profiles(load("a100-40gb"))}


def live(name: str, start: int | None = 0, *, profile_id: int = 0, sm_count: int = 16) -> LiveCi:
    return LiveCi(CiId(start or 0), CiSpec(name, profile_id, start), sm_count)


@pytest.mark.parametrize("key", mig_keys())
def test_exactly_the_divisions_that_there_are(key: str) -> None:
    for profile, model in zip(profiles(load(key)), load(key).profiles, strict=True):
        sizes = range(1, profile.slices + 1)
        divisions = {(profile.slices,), (), *ci_divisions(model)}
        for number in range(profile.slices + 2):
            for slices in combinations_with_replacement(reversed(sizes), number):
                cis = [ci_name(profile, size) for size in slices]
                assert (not list(problems_of(profile, cis))) == (slices in divisions), slices


def ci_name(profile: GiProfile, slices: int) -> str:
    whole_one = slices == profile.slices
    return profile.profile if whole_one else f"{slices}c.{profile.profile}"


@pytest.mark.parametrize(
    ("cis", "problems"),
    [
        (
            ["2c.3g.40gb", "2c.3g.40gb"],
            ["2c.3g.40gb + 2c.3g.40gb has 4 slices, and a 3g.40gb 3"],
        ),
        (["1c.2g.20gb"], ["'1c.2g.20gb' is no compute instance of a 3g.40gb"]),
        (["4c.3g.40gb", "1"], ["'4c.3g.40gb' is no", "'1' is no compute instance of a 3g.40gb"]),
    ],
)
def test_what_is_wrong_is_said(cis: list[str], problems: list[str]) -> None:
    found = list(problems_of(H100["3g.40gb"], cis))
    assert len(found) == len(problems)
    for text, start in zip(found, problems, strict=True):
        assert text.startswith(start)


def test_a_four_slices_gpu_instance_offers_no_three() -> None:
    (problem,) = problems_of(H100["4g.40gb"], ["3c.4g.40gb"])
    assert problem == "a 4g.40gb offers no 3c.4g.40gb, only 1c, 2c, 4c"


def test_two_of_three_slices_and_one_of_two_are_eight() -> None:
    (problem,) = problems_of(A100["7g.40gb"], ["3c.7g.40gb", "3c.7g.40gb", "2c.7g.40gb"])
    assert "has 8 slices" in problem


def test_enough_slices_but_no_place() -> None:
    """A rule of a GPU that is not known: five slices, in which twos begin at 0 and 2."""
    five = GiProfile("5g.50gb", ProfileId(1), 5, 1, 1, 1, ())
    assert list(problems_of(five, ["2c.5g.50gb", "2c.5g.50gb", "1c.5g.50gb"])) == []
    (problem,) = problems_of(five, ["3c.5g.50gb", "2c.5g.50gb"])
    assert "has no place in a 5g.50gb" in problem


@pytest.mark.parametrize(
    ("there", "wanted", "sm_count", "is_it"),
    [
        (live("3g.40gb", sm_count=60), CiSpec("3g.40gb"), 60, True),
        (live("1g.20gb", sm_count=26, profile_id=7), CiSpec("1g.20gb"), 26, True),
        (live("1g.20gb", sm_count=16), CiSpec("1g.20gb"), 26, False),
        (live("1g.20gb", sm_count=16), CiSpec("1g.20gb"), None, True),
        (live("1g.20gb", sm_count=16), CiSpec("1g.20gb", 0), 26, True),
        (live("1g.20gb", sm_count=26, profile_id=7), CiSpec("1g.20gb", 0), 26, False),
        (live("1c.3g.40gb", 2), CiSpec("1c.3g.40gb"), 60, True),
        (live("1c.3g.40gb", 2), CiSpec("1c.3g.40gb", 0, 2), 60, True),
        (live("1c.3g.40gb", 2), CiSpec("1c.3g.40gb", 0, 1), 60, False),
        (live("1c.3g.40gb", 2), CiSpec("2c.3g.40gb"), 60, False),
        (live("1c.3g.40gb", None), CiSpec("1c.3g.40gb", None, 1), 60, False),
    ],
)
def test_whether_a_live_one_is_the_wanted_one(
    there: LiveCi, wanted: CiSpec, sm_count: int | None, is_it: bool
) -> None:
    assert satisfies(there, wanted, sm_count) == is_it


def test_the_one_with_fewer_multiprocessors_goes() -> None:
    """16 of 26, as go-nvlib makes it on an H100: the whole GPU instance is wanted."""
    there = live("1g.20gb", sm_count=16)
    made = change((there,), whole("1g.20gb"), 26)
    assert (made.keep, made.go, made.come) == ((), (there,), (CiSpec("1g.20gb"),))


def test_one_that_stays_must_leave_room() -> None:
    """1c at 0 is in the way of 2c; 1c at 2 is not."""
    at_0, at_2 = live("1c.3g.40gb", 0), live("1c.3g.40gb", 2)
    wanted = (CiSpec("2c.3g.40gb"), CiSpec("1c.3g.40gb"))
    assert change((at_0, at_2), wanted, 60).keep == (at_2,)
    placed = (CiSpec("2c.3g.40gb", None, 0), CiSpec("1c.3g.40gb", None, 2))
    assert change((at_0,), wanted, 60) == ((), (at_0,), placed)
    assert change((at_2,), wanted, 60).come == placed[:1]


def test_where_nobody_knows_the_place_nothing_is_made_beside_it() -> None:
    there = live("1c.3g.40gb", None)
    assert change((there,), (CiSpec("1c.3g.40gb"),), 60).go == ()
    assert change((there,), (CiSpec("1c.3g.40gb"),) * 2, 60).keep == ()


def test_a_named_place_is_left_for_the_one_that_is_there() -> None:
    """The one without a place could take either: it must not take the other's."""
    at_0, at_1 = live("1c.3g.40gb", 0), live("1c.3g.40gb", 1)
    wanted = (CiSpec("1c.3g.40gb"), CiSpec("1c.3g.40gb", None, 0))
    assert change((at_0, at_1), wanted, 60).go == ()


def test_several_are_given_their_starts() -> None:
    """The driver, at the first place that is free, would put 3c where one 2c must be."""
    three, two = CiSpec("3c.7g.80gb"), CiSpec("2c.7g.80gb")
    come = change((), (two, three, two), 132).come
    assert [(spec.ci_profile[:2], spec.start) for spec in come] == [("2c", 0), ("2c", 2), ("3c", 4)]


def test_one_alone_is_left_to_the_driver() -> None:
    assert change((), (CiSpec("2c.7g.80gb"),), 132).come == (CiSpec("2c.7g.80gb"),)
    assert change((), whole("7g.80gb"), 132).come == whole("7g.80gb")


def test_starts_that_are_named_stay() -> None:
    one, two = CiSpec("1c.7g.80gb"), CiSpec("2c.7g.80gb")
    placed = [CiSpec("1c.7g.80gb", 0, start) for start in (6, 1)]
    assert change((), (one, placed[0], two, placed[1]), 132).come == (
        one._replace(start=0),
        placed[1],
        two._replace(start=2),
        placed[0],
    )
    assert change((), (placed[0], placed[0]), 132).come == (placed[0], placed[0])  # let it judge


def test_a_name_that_cannot_be_read() -> None:
    strange = live("a slice")
    assert change((strange,), whole("3g.40gb"), 60).go == (strange,)
    assert change((strange,), (CiSpec("a slice"),), 16).go == ()
    more = (CiSpec("a slice"), CiSpec("another"))
    assert change((strange,), more, 16) == ((), (strange,), more)


def carried_out(gpu: PaperGpu, keep: Sequence[LiveCi], come: Sequence[CiSpec]) -> bool:
    """Whether a driver makes these beside those that stay."""
    there = gpu.copy()
    (instance,) = there.live().instances
    try:
        for ci in instance.cis:
            if ci not in keep:
                there.do(DestroyCi(UUID, instance.spec, ci.spec))
        for spec in come:
            there.do(CreateCi(UUID, instance.placement, spec))
    except Refusal:
        return False
    return True


@pytest.mark.parametrize("name", ["3g.20gb", "4g.20gb", "7g.40gb"])
@REPEATABLE
@given(data=st.data())
def test_no_fewer_could_go(name: str, data: st.DataObject) -> None:
    """All sets that could stay, tried on paper; and the change itself is refused nowhere."""
    model = load("a100-40gb").profile(name)
    divisions = st.sampled_from(sorted(ci_divisions(model)))
    order = data.draw(st.permutations(data.draw(divisions)))
    gpu = paper("a100-40gb", name + "".join(f":{slices}c" for slices in order))
    (instance,) = gpu.live().instances
    wanted = tuple(CiSpec(f"{slices}c.{name}") for slices in data.draw(divisions))
    made = change(instance.cis, wanted, model.sm_count)
    assert carried_out(gpu, made.keep, made.come)
    assert len(made.keep) == most_kept(gpu.instances[instance.placement], wanted)
