"""The NVML session: opened late, closed early, never outlived by a handle; and GPM's pairs."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.nvml.codes import DRIVER_NOT_LOADED, nvml_error
from slurm_mig.gpu.nvml.usage_port import GPM_METRICS, UsageNvml
from slurm_mig.model import GiId, GpuIndex
from slurm_mig.usage.monitor.jobs import HeldSlice
from slurm_mig.usage.monitor.pairs import Pairs
from slurm_mig.usage.monitor.session import Session
from tests.usage.monitor.scene import MakeScene, Scene

BROKEN = nvml_error("this machine", DRIVER_NOT_LOADED, "Driver Not Loaded")


def session(node: Scene) -> Session:
    return Session(node.machine.session, str(node.root))


def held(node: Scene, place: int) -> HeldSlice:
    entry = node.gres[place]
    mig = entry["mig"] or {}
    return HeldSlice(
        entry["gpu_uuid"], entry["gpu_minor"], None, mig.get("gi_id"), mig.get("ci_id"), None,
        entry["type"], entry["gres_index"], mig.get("uuid"), None,
    )  # fmt: skip


def test_one_session_serves_many_rounds(scene: MakeScene) -> None:
    node = scene("h100-80gb=1g.10gb")
    one = session(node)
    for now_s in range(5):
        one.open(float(now_s), 1.0)
    assert (node.machine.sessions, one.number, one.is_open) == (1, 1, True)
    one.close()
    assert (node.machine.opened, one.is_open) == (0, False)
    one.close()  # again is nothing


def test_where_it_does_not_open_it_is_asked_later_each_time(scene: MakeScene) -> None:
    node = scene("h100-80gb=1g.10gb")
    one, tried = session(node), []
    node.machine.failing["session"] = BROKEN
    for now_s in range(300):
        try:
            one.open(float(now_s), 1.0)
        except NvmlError as error:
            if error.code == DRIVER_NOT_LOADED:
                tried.append(now_s)
    assert tried == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]
    node.machine.failing.clear()
    one.open(400.0, 1.0)
    one.went_well()
    one.failed(401.0, 1.0)
    one.open(402.0, 1.0)  # the next failure is the first again
    assert one.number == 2


def test_after_a_failure_it_serves_on_until_there_is_a_new_one(scene: MakeScene) -> None:
    node = scene("h100-80gb=1g.10gb")
    one = session(node)
    one.open(0.0, 4.0)
    one.failed(1.0, 4.0)
    one.failed(2.0, 4.0)  # which does not put it off
    one.open(4.9, 4.0)
    assert one.number == 1
    one.open(5.0, 4.0)
    assert (one.number, node.machine.opened) == (2, 1)


def test_another_generation_is_another_session(scene: MakeScene) -> None:
    node = scene("h100-80gb=1g.10gb")
    one = session(node)
    one.open(0.0, 1.0)
    (node.root / "run/slurm-mig/generation").write_text("1\n")
    one.open(0.0, 1.0)
    one.open(0.0, 1.0)
    assert (one.number, node.machine.opened) == (2, 1)


def test_a_slice_is_found_by_its_ids_and_its_uuid(scene: MakeScene) -> None:
    node = scene("h100-80gb=3g.40gb@4:1c:2c/1g.10gb@0", "h100-80gb")
    one = session(node)
    one.open(0.0, 1.0)
    shared = {}
    for place, entry in enumerate(node.gres):
        gpu = one.gpu(entry["gpu_uuid"])
        found = one.find(gpu, held(node, place))
        assert found is not None
        shared[entry["type"]] = (found.shared, round((found.share or 0) * 7))
    assert shared == {
        "1c.3g.40gb": (True, 1), "2c.3g.40gb": (True, 2), "1g.10gb": (False, 1), "gpu": (False, 7),
    }  # fmt: skip
    mine = held(node, 0)
    gpu = one.gpu(mine.gpu_uuid)
    assert one.find(gpu, mine._replace(mig_uuid="MIG-other")) is None
    assert one.find(gpu, mine._replace(gi_id=6)) is None
    assert one.find(gpu, mine._replace(gi_id=None, ci_id=None)) is None  # cut since


def test_a_gpu_off_the_bus_hides_no_other(scene: MakeScene) -> None:
    node = scene("h100-80gb=1g.10gb", "h100-80gb=1g.10gb")
    node.machine.lost.add(0)
    one = session(node)
    one.open(0.0, 1.0)
    assert one.gpu(node.gres[1]["gpu_uuid"]).gpu_index == 1
    with pytest.raises(NvmlError, match="is not there"):
        one.gpu(node.gres[0]["gpu_uuid"])


def test_what_closing_answers_does_not_matter(scene: MakeScene) -> None:
    node = scene("h100-80gb=1g.10gb")

    @contextmanager
    def opening() -> Iterator[UsageNvml]:
        with node.machine.session() as nvml:
            yield nvml
        raise NvmlError("shut down already")

    one = Session(opening, str(node.root))
    one.open(0.0, 1.0)
    one.close()
    assert not one.is_open


OF = (GpuIndex(0), GiId(0))


def test_a_pair_is_what_lies_between_two_samples(scene: MakeScene) -> None:
    node = scene("h100-80gb=1g.10gb")
    pairs = Pairs(node.clock)
    with node.machine.session() as nvml:
        assert not pairs.has(OF)
        assert pairs.next(nvml, OF) is None
        node.clock.now_s += 2
        stretch = pairs.next(nvml, OF)
        assert stretch is not None
        assert (stretch.from_s, stretch.to_s) == (1000.0, 1002.0)
        assert stretch.ratios == (0.0,) * len(GPM_METRICS)


def test_samples_that_are_too_close_leave_the_older_one(scene: MakeScene) -> None:
    node = scene("h100-80gb=1g.10gb")
    pairs = Pairs(node.clock)
    with node.machine.session() as nvml:
        pairs.next(nvml, OF)
        node.clock.now_s += 0.05
        assert pairs.next(nvml, OF) is None
        node.clock.now_s += 1.95
        stretch = pairs.next(nvml, OF)
    assert stretch is not None
    assert stretch.from_s == 1000.0


def test_no_pair_goes_over_a_break(scene: MakeScene) -> None:
    node = scene("h100-80gb=1g.10gb")
    pairs = Pairs(node.clock)
    with node.machine.session() as nvml:
        for forget in (pairs.break_off, pairs.drop, lambda: pairs.keep(set())):
            pairs.next(nvml, OF)
            assert pairs.has(OF)
            forget()
            assert not pairs.has(OF)
            node.clock.now_s += 1
            assert pairs.next(nvml, OF) is None
            pairs.drop()


@pytest.mark.parametrize("method", ["gpm_sample", "gpm_between"])
def test_what_fails_begins_anew(scene: MakeScene, method: str) -> None:
    node = scene("h100-80gb=1g.10gb")
    pairs = Pairs(node.clock)
    with node.machine.session() as nvml:
        pairs.next(nvml, OF)
        node.machine.failing[method] = NvmlError("no")
        node.clock.now_s += 1
        with pytest.raises(NvmlError):
            pairs.next(nvml, OF)
        node.machine.failing.clear()
        node.clock.now_s += 1
        assert pairs.next(nvml, OF) is None
