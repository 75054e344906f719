"""What test jobs tell, and what of it is wrong."""

import pytest

from slurm_mig.reconfigure.verdict import judge
from slurm_mig.reconfigure.world import Place, Said

PLACES = {0: Place("3g.40gb", "MIG-a"), 1: Place("1g.10gb", "MIG-b"), 2: Place("1g.10gb", "MIG-c")}
ASKED = {11: "3g.40gb", 12: "1g.10gb", 13: "1g.10gb"}
RIGHT = {
    11: Said(0, (0,), ("MIG-a",)),
    12: Said(0, (2,), ("MIG-c",)),
    13: Said(0, (1,), ("MIG-b",)),
}


def problems(**changed: Said) -> list[str]:
    """Of RIGHT, with what "job12" and others say instead."""
    said = {**RIGHT, **{int(name.removeprefix("job")): one for name, one in changed.items()}}
    return list(judge(ASKED, said, PLACES))


def test_each_has_one_of_its_type() -> None:
    assert problems() == []


def test_those_that_have_told_nothing_yet_are_not_judged() -> None:
    assert list(judge(ASKED, {12: RIGHT[12]}, PLACES)) == []
    assert list(judge(ASKED, {}, PLACES)) == []


def test_a_job_of_somebody_else_is_not_judged() -> None:
    assert problems(job99=Said(7, (), ())) == []


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (Said(3, (2,), ("MIG-c",), "no memory"), "ended with 3: no memory"),
        (Said(126, (), ()), "ended with 126: it said nothing"),
        (Said(0, (), ("MIG-c",)), "can open 0 slices (none), and not one"),
        (Said(0, (0, 2), ("MIG-c",)), "can open 2 slices (0, 2), and not one"),
        (Said(0, (9,), ("MIG-c",)), "can open slice 9, which this node does not have"),
        (Said(0, (2,), ()), "has 0 words in CUDA_VISIBLE_DEVICES"),
        (Said(0, (2,), ("MIG-c", "MIG-b")), "has 2 words in CUDA_VISIBLE_DEVICES"),
        (Said(0, (2,), ("MIG-b",)), "is told MIG-b and has MIG-c"),
    ],
)
def test_what_is_wrong_with_one_is_told_with_its_number(said: Said, why: str) -> None:
    assert problems(job12=said)[:1] == [f"job 12 (1g.10gb) {why}"]


def test_a_slice_of_another_type() -> None:
    found = problems(job12=Said(0, (0,), ("MIG-a",)))
    assert found == [
        "job 12 (1g.10gb) got slice 0, which is 3g.40gb",
        "jobs 11, 12 have all got slice 0",
    ]


def test_one_slice_for_two() -> None:
    assert problems(job12=Said(0, (1,), ("MIG-b",))) == ["jobs 12, 13 have all got slice 1"]


def test_without_our_task_prolog_cuda_is_told_a_number() -> None:
    assert problems(job12=Said(0, (2,), ("0",))) == []


def test_all_of_it_is_told() -> None:
    wrong = Said(1, (), (), "x")
    assert len(problems(job11=wrong, job12=wrong, job13=wrong)) == 3
