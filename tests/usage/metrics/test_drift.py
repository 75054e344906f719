"""Whether the GPUs are cut as the map has it: by what the driver shows, and by what NVML told."""

from pathlib import Path
from typing import Any

import pytest

from slurm_mig.system import epoch
from slurm_mig.usage.metrics.drift import Drift, by_driver, by_nvml
from slurm_mig.usage.metrics.instances import live
from slurm_mig.usage.metrics.sources import MapSlice
from slurm_mig.usage.monitor.snapshot import ASLEEP, GpuLayout
from tests.usage.metrics.moments import A100, H100, entry, snapshot, told, write_map

TREE = "proc/driver/nvidia/capabilities"
NONE: frozenset[Any] = frozenset()


def mapped(gi_id: int | None, minor: int = 1, uuid: str = H100) -> MapSlice:
    ci_id = None if gi_id is None else 0
    mig_uuid = None if gi_id is None else f"MIG-{gi_id}"
    return MapSlice(0, minor, uuid, "GPU", "t", 0, gi_id, ci_id, None, mig_uuid, None)


def on(*gi_ids: int, uuid: str = H100) -> GpuLayout:
    return GpuLayout(uuid, True, tuple((gi_id, 0, f"MIG-{gi_id}") for gi_id in gi_ids))


CUT = (mapped(9), mapped(10))
WHOLE = (mapped(None, minor=0, uuid=A100),)


@pytest.mark.parametrize(
    ("the_map", "instances", "drift"),
    [
        (CUT, {(1, 9, 0), (1, 10, 0)}, Drift()),
        (CUT, {(1, 9, 0)}, Drift(frozenset({(1, 10, 0)}))),
        (CUT, {(1, 9, 0), (1, 10, 0), (1, 11, 0)}, Drift(NONE, frozenset({(1, 11, 0)}))),
        (CUT, set(), Drift(frozenset({(1, 9, 0), (1, 10, 0)}))),
        (CUT, {(1, 9, 0), (1, 10, 0), (7, 1, 0)}, Drift()),  # GPU 7 is none of Slurm's
        (WHOLE, set(), Drift()),
        (WHOLE, {(0, 1, 0)}, Drift(frozenset({(0, None, None)}), frozenset({(0, 1, 0)}))),
        ((), {(1, 9, 0)}, Drift()),
    ],
)
def test_by_what_the_driver_shows(
    the_map: tuple[MapSlice, ...], instances: set[Any], drift: Drift
) -> None:
    assert by_driver(the_map, frozenset(instances)) == drift


@pytest.mark.parametrize(
    ("the_map", "layout", "drift"),
    [
        (CUT, on(10, 9), Drift()),
        (CUT, on(9), Drift(frozenset({(1, 10, 0)}))),
        (CUT, on(9, 10, 11), Drift(NONE, frozenset({(1, 11, 0)}))),
        (CUT, on(9, uuid="GPU-other"), Drift()),  # ours did not answer
        (WHOLE, GpuLayout(A100, False, ()), Drift()),
        # MIG was switched on: no job finds the whole GPU, and there are no slices yet.
        (WHOLE, GpuLayout(A100, True, ()), Drift(frozenset({(0, None, None)}))),
        (
            CUT,
            GpuLayout(H100, False, ()),
            Drift(frozenset({(1, 9, 0), (1, 10, 0)}), frozenset({(1, None, None)})),
        ),
    ],
)
def test_by_what_nvml_told(the_map: tuple[MapSlice, ...], layout: GpuLayout, drift: Drift) -> None:
    assert by_nvml(the_map, [layout]) == drift


def test_another_slice_in_the_same_place_is_one_gone_and_one_new() -> None:
    other = GpuLayout(H100, True, ((9, 0, "MIG-9"), (10, 0, "MIG-of-another-shape")))
    same = frozenset({(1, 10, 0)})
    assert by_nvml(CUT, [other]) == Drift(same, same)
    assert by_driver(CUT, frozenset({(1, 9, 0), (1, 10, 0)})) == Drift()  # which has no UUIDs


def test_what_both_say_counts_once() -> None:
    gone = Drift(frozenset({(1, 10, 0)}))
    new = Drift(NONE, frozenset({(1, 11, 0)}))
    assert gone | gone == gone
    assert gone | new == Drift(gone.gone, new.new)


def instances(root: Path, *places: str) -> None:
    """What the driver shows below /proc."""
    for place in places:
        folder = root / TREE / place
        folder.mkdir(parents=True)
        (folder / "access").write_text("DeviceFileMinor: 1\n")


def test_the_driver_s_tree(tmp_path: Path) -> None:
    assert live(tmp_path) is None
    (tmp_path / TREE / "mig").mkdir(parents=True)
    (tmp_path / TREE / "gpu0").mkdir()
    assert live(tmp_path) == NONE
    instances(tmp_path, "gpu1/mig/gi9/ci0", "gpu1/mig/gi10/ci0", "gpu1/mig/gi10/ci1", "gpu1/mig/x")
    (tmp_path / TREE / "gpu1/mig/gi13").mkdir()  # without a compute instance: no slice
    assert live(tmp_path) == frozenset({(1, 9, 0), (1, 10, 0), (1, 10, 1)})


def drift(root: Path, **changes: Any) -> tuple[float | None, float | None]:
    seen = told(root, snapshot(**changes))
    return tuple(seen.value("layout_drift_slices", kind=kind) for kind in ("gone", "new"))  # type: ignore[return-value]


def test_while_the_monitor_sleeps_the_driver_s_tree_is_compared(tmp_path: Path) -> None:
    write_map(tmp_path, [entry(0, 9), entry(1, 10)])
    assert drift(tmp_path, state=ASLEEP) == (None, None)  # nobody could look
    instances(tmp_path, "gpu1/mig/gi9/ci0", "gpu1/mig/gi10/ci0")
    assert drift(tmp_path, state=ASLEEP) == (0, 0)
    instances(tmp_path, "gpu1/mig/gi11/ci0", "gpu1/mig/gi12/ci0")
    assert drift(tmp_path, state=ASLEEP) == (0, 2)
    assert told(tmp_path, None).value("layout_drift_slices", kind="new") == 2


def test_while_it_is_awake_nvml_s_word_is_compared_too(tmp_path: Path) -> None:
    write_map(tmp_path, [entry(0, 9), entry(1, 10)])
    assert drift(tmp_path, layout=(on(9, 10),)) == (0, 0)
    instances(tmp_path, "gpu1/mig/gi9/ci0", "gpu1/mig/gi10/ci0")
    changed = GpuLayout(H100, True, ((9, 0, "MIG-9"), (10, 0, "MIG-other")))
    assert drift(tmp_path, layout=(changed,)) == (1, 1)


def test_of_a_stale_map_no_drift_is_told(tmp_path: Path) -> None:
    instances(tmp_path, "gpu1/mig/gi9/ci0")
    assert drift(tmp_path, layout=(on(9),)) == (None, None)
    write_map(tmp_path, [entry(0, 9), entry(1, 10)])
    assert drift(tmp_path, layout=(on(9),)) == (1, 0)
    epoch.next_generation(str(tmp_path))
    assert drift(tmp_path, layout=(on(9),)) == (None, None)
