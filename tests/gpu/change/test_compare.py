"""Live against wanted, told in words; and what a driver renames is found again."""

import pytest

from slurm_mig.gpu.change.compare import differences, disturbed, layout_text
from slurm_mig.gpu.nvml.port import GpuInfo
from slurm_mig.gpu.partitioning import (
    CiSpec,
    GiSpec,
    Layout,
    LiveCi,
    LiveGi,
    LiveGpu,
)
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
