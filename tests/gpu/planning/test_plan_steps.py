"""The order of the steps."""

import pytest

from slurm_mig.gpu.partitioning import CiSpec, GiSpec
from slurm_mig.gpu.planning.plan_steps import (
    CreateCi,
    CreateGi,
    DestroyCi,
    DestroyGi,
    Reset,
    SetMode,
    Step,
    creates,
    destroys,
    mode_steps,
    step_json,
)
from slurm_mig.model import MigMode, Placement
from tests.gpu.papergpu import UUID, paper

PLACE = Placement(4, 4)
GI = GiSpec("3g.20gb", PLACE, ())
CI = CiSpec("1c.3g.20gb", 0, 2)


def test_what_is_inside_goes_before_what_holds_it() -> None:
    live = paper("a100-40gb", "3g.20gb@4:1c:1c/1g.5gb@0").live()
    kinds = [type(step) for step in destroys(live, live.instances, ())]
    assert kinds == [DestroyCi, DestroyGi, DestroyCi, DestroyCi, DestroyGi]


def test_what_holds_it_comes_before_what_is_inside() -> None:
    live = paper("a100-40gb").live()
    small = GiSpec("1g.5gb", Placement(0, 1), (CiSpec("1g.5gb"),))
    large = GI._replace(cis=(CI,))
    assert list(creates(live, [small, large], ())) == [
        CreateGi(UUID, "3g.20gb", PLACE),
        CreateCi(UUID, PLACE, CI),
        CreateGi(UUID, "1g.5gb", Placement(0, 1)),
        CreateCi(UUID, Placement(0, 1), CiSpec("1g.5gb")),
    ]


@pytest.mark.parametrize(
    ("key", "now", "then", "on", "steps"),
    [
        ("a100-40gb", False, False, False, []),
        ("a100-40gb", False, False, True, [SetMode(UUID, True), Reset(UUID)]),
        ("a100-40gb", False, True, True, [Reset(UUID)]),
        ("a100-40gb", False, True, False, [SetMode(UUID, False)]),
        ("a100-40gb", True, False, False, [Reset(UUID)]),
        ("a100-40gb", True, True, False, [SetMode(UUID, False), Reset(UUID)]),
        ("h100-80gb", False, False, True, [SetMode(UUID, True)]),
        ("h100-80gb", False, True, True, [SetMode(UUID, True)]),
        ("h100-80gb", False, True, False, [SetMode(UUID, False)]),
        ("h100-80gb", True, True, True, []),
    ],
)
def test_modes(key: str, now: bool, then: bool, on: bool, steps: list[Step]) -> None:
    gpu = paper(key)
    gpu.mode = MigMode(now, then)
    found = list(mode_steps(gpu.live(), on))
    assert found == steps
    assert [type(step) for step in found] == [type(step) for step in steps]


def test_a_gpu_without_mig_has_no_mode() -> None:
    live = paper("a100-40gb").live()
    bare = live._replace(info=live.info._replace(mig_mode=None))
    assert list(mode_steps(bare, False)) == []


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (DestroyCi(UUID, GI, CI), {"step", "profile", "placement", "ci"}),
        (DestroyGi(UUID, GI), {"step", "profile", "placement"}),
        (SetMode(UUID, True), {"step", "on"}),
        (Reset(UUID), {"step"}),
        (CreateGi(UUID, "3g.20gb", PLACE), {"step", "profile", "placement"}),
        (CreateCi(UUID, PLACE, CI), {"step", "placement", "ci"}),
    ],
)
def test_each_step_as_json(step: Step, words: set[str]) -> None:
    made = step_json(step)
    assert set(made) == words
    if "placement" in words:
        assert made["placement"] == {"start": 4, "size": 4}
