"""Live against wanted, told in words; and what a driver renames is found again."""

import pytest

from slurm_mig.gpu.ci_choice import CiProfile, choose
from slurm_mig.gpu.compare import differences, disturbed, layout_text
from slurm_mig.gpu.driver_drift import offered, renamed
from slurm_mig.gpu.nvml_port import GpuInfo
from slurm_mig.gpu.partitioning import (
    CiSpec,
    GiProfile,
    GiSpec,
    Layout,
    LiveCi,
    LiveGi,
    LiveGpu,
)
from slurm_mig.gpu.plan_steps import CreateCi, CreateGi, DestroyCi, DestroyGi, Reset, SetMode, Step
from slurm_mig.gpu.step_text import place_of, step_text
from slurm_mig.model import CiId, GiId, GpuIndex, GpuMinor, MigMode, Placement
from tests.contract.conftest import offers
from tests.sim.models import load

OFFERS = tuple(offers(load("h100-80gb")))
AT_0, AT_4 = Placement(0, 2), Placement(4, 4)
BIG = LiveGi(GiId(1), "3g.40gb", AT_4, (LiveCi(CiId(0), CiSpec("3g.40gb", 2, 0), 60),))
DOUBLE = LiveGi(GiId(5), "1g.20gb", AT_0, (LiveCi(CiId(0), CiSpec("1g.20gb", 7, 0), 26),))


def gpu(*instances: LiveGi, current: bool = True, pending: bool | None = None) -> LiveGpu:
    mode = MigMode(current, current if pending is None else pending)
    info = GpuInfo(
        GpuIndex(0), GpuMinor(0), "GPU-0", "NVIDIA H100 80GB HBM3", "00000000:07:00.0", 81559, mode
    )
    return LiveGpu(info, 0, 0, False, OFFERS, instances)


def wanted(*instances: GiSpec) -> Layout:
    return Layout(True, instances)


@pytest.mark.parametrize(
    "layout",
    [
        wanted(BIG.spec, DOUBLE.spec),
        wanted(DOUBLE.spec, BIG.spec),
        wanted(
            GiSpec("3g.40gb", AT_4, (CiSpec("3g.40gb"),)),
            GiSpec("1g.20gb", AT_0, (CiSpec("1g.20gb"),)),
        ),
    ],
)
def test_the_same(layout: Layout) -> None:
    assert differences(gpu(BIG, DOUBLE), layout) == ()


@pytest.mark.parametrize(
    ("live", "layout", "what"),
    [
        (gpu(BIG), wanted(), "3g.40gb@4 is too many"),
        (gpu(), wanted(BIG.spec), "3g.40gb@4 is missing"),
        (gpu(BIG), Layout(False), "MIG is on"),
        (gpu(current=False), wanted(), "MIG is off"),
        (gpu(pending=False), wanted(), "MIG off is pending"),
        (gpu(BIG._replace(cis=())), wanted(BIG.spec), "there is 3g.40gb@4 (no compute instance)"),
        (gpu(BIG), wanted(BIG.spec._replace(cis=())), "3g.40gb@4 (no compute instance) is wanted"),
        (
            gpu(BIG),
            wanted(BIG.spec._replace(placement=Placement(0, 4))),
            "3g.40gb@0 is missing; GPU 0 (00000000:07:00.0): 3g.40gb@4 is too many",
        ),
        (
            gpu(DOUBLE._replace(cis=(LiveCi(CiId(0), CiSpec("1g.20gb", 0, 0), 16),))),
            wanted(GiSpec("1g.20gb", AT_0, (CiSpec("1g.20gb"),))),
            "1g.20gb@0 is wanted, there is 1g.20gb@0",  # with 16 of its 26 multiprocessors
        ),
        (
            gpu(BIG._replace(cis=(LiveCi(CiId(0), CiSpec("1c.3g.40gb", 0, 1), 16),))),
            wanted(GiSpec("3g.40gb", AT_4, (CiSpec("1c.3g.40gb", 0, 2),))),
            "is wanted",
        ),
    ],
)
def test_what_differs_is_told(live: LiveGpu, layout: Layout, what: str) -> None:
    assert what in "; ".join(differences(live, layout))


def test_compute_instances_with_a_place_are_found_first() -> None:
    cis = tuple(LiveCi(CiId(n), CiSpec("1c.3g.40gb", 0, n), 16) for n in range(2))
    spec = GiSpec("3g.40gb", AT_4, (CiSpec("1c.3g.40gb"), CiSpec("1c.3g.40gb", 0, 0)))
    assert differences(gpu(BIG._replace(cis=cis)), wanted(spec)) == ()


def test_what_was_left_alone_is_as_it_was() -> None:
    before = gpu(BIG, DOUBLE)
    assert disturbed(before, gpu(BIG), {AT_0}) == ()
    assert disturbed(before, gpu(BIG, DOUBLE), ()) == ()
    again = BIG._replace(gi_id=GiId(2))  # equal, but another one: whoever was on it is gone
    for after in (gpu(DOUBLE), gpu(again, DOUBLE)):
        (what,) = disturbed(before, after, {AT_0})
        assert "3g.40gb@4 was to be left alone and has changed" in what


def test_layouts_in_words() -> None:
    assert layout_text(Layout(False)) == "MIG off"
    assert layout_text(Layout(True)) == "MIG on: no instance"
    shared = GiSpec("2g.20gb", AT_0, (CiSpec("1c.2g.20gb"), CiSpec("1c.2g.20gb")))
    assert layout_text(wanted(shared, BIG.spec)) == (
        "MIG on: 2g.20gb@0 (1c.2g.20gb, 1c.2g.20gb), 3g.40gb@4"
    )


STEPS: dict[str, tuple[Step, Placement | None]] = {
    "destroy compute instance 3g.40gb of 3g.40gb@4": (
        DestroyCi("GPU-0", BIG.spec, CiSpec("3g.40gb")), AT_4,
    ),
    "destroy 3g.40gb@4": (DestroyGi("GPU-0", BIG.spec), AT_4),
    "switch MIG on": (SetMode("GPU-0", True), None),
    "switch MIG off": (SetMode("GPU-0", False), None),
    "reset": (Reset("GPU-0"), None),
    "create 3g.40gb@4": (CreateGi("GPU-0", "3g.40gb", AT_4), AT_4),
    "create compute instance 1c.3g.40gb in the one at 4": (
        CreateCi("GPU-0", AT_4, CiSpec("1c.3g.40gb")), AT_4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", STEPS)
def test_steps_in_words(text: str) -> None:
    step, place = STEPS[text]
    assert (step_text(step), place_of(step)) == (text, place)


# A driver that renames profiles


def named(name: str, size: int) -> GiProfile:
    return OFFERS[0]._replace(profile=name, placements=(Placement(0, size),))


GB200 = (named("1g.23gb", 1), named("1g.47gb", 2), named("1g.23gb+me", 1), named("2g.47gb", 2))


@pytest.mark.parametrize(
    ("old", "size", "new"),
    [
        ("1g.24gb", 1, "1g.23gb"),
        ("1g.24gb+me", 1, "1g.23gb+me"),
        ("1g.48gb", 2, "1g.47gb"),
        ("2g.48gb", 2, "2g.47gb"),
        ("1g.47gb", 2, "1g.47gb"),
    ],
)
def test_a_profile_of_another_name(old: str, size: int, new: str) -> None:
    found = offered(GB200, old, size)
    assert found is not None
    assert found.profile == new


@pytest.mark.parametrize(("old", "size"), [("3g.48gb", 4), ("1g.24gb+gfx", 1), ("2g.48gb", 4)])
def test_nothing_of_the_kind(old: str, size: int) -> None:
    assert offered(GB200, old, size) is None


def test_of_two_that_could_be_meant_neither_is_taken() -> None:
    assert offered((*GB200, named("1g.22gb", 1)), "1g.24gb", 1) is None


def test_a_layout_in_other_names() -> None:
    shared = GiSpec("2g.48gb", AT_0, (CiSpec("1c.2g.48gb", 0, 0), CiSpec("1c.2g.48gb", 0, 1)))
    unknown = GiSpec("3g.96gb", AT_4, (CiSpec("3g.96gb"),))
    assert renamed(wanted(shared, unknown), GB200) == wanted(
        GiSpec("2g.47gb", AT_0, (CiSpec("1c.2g.47gb", 0, 0), CiSpec("1c.2g.47gb", 0, 1))), unknown
    )


CIS = (
    CiProfile("1g.20gb", 0, 1, 16),
    CiProfile("1g.20gb", 7, 1, 26),
    CiProfile("2g.20gb", 1, 2, 32),
)


@pytest.mark.parametrize(
    ("spec", "number"),
    [
        (CiSpec("1g.20gb"), 7),
        (CiSpec("1g.20gb", 0), 0),
        (CiSpec("1g.19gb"), 7),
        (CiSpec("2g.20gb"), 1),
        (CiSpec("3g.20gb"), None),
        (CiSpec("1g.20gb", 5), None),
    ],
)
def test_which_compute_instance_is_meant(spec: CiSpec, number: int | None) -> None:
    found = choose(CIS, spec)
    assert (None if found is None else found.ci_profile_id) == number
