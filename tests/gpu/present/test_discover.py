"""NVML and the driver's files, joined into one Node."""

from pathlib import Path

import pytest

from slurm_mig.errors import CapsError, NvmlError
from slurm_mig.gpu.nvml.codes import GPU_IS_LOST, nvml_error
from slurm_mig.gpu.nvml.port import GiInfo
from slurm_mig.gpu.present.discover import discover
from slurm_mig.model import (
    CiId,
    CiMinor,
    Cores,
    DeviceFile,
    GiId,
    GiMinor,
    GpuIndex,
    GpuInstance,
    GpuMinor,
    MigDevice,
    MigIndex,
    MigMode,
    MigSpec,
    Placement,
)
from tests.fakes import FakeGpu, FakeNvml, empty, slice_of
from tests.gpu.driver_tree import lay_out
from tests.gpu.present.test_cores import sysfs


def test_a_slice_is_joined_with_its_files(root: Path, nvml: FakeNvml) -> None:
    gpu = discover(nvml, root).gpus[0]
    assert gpu.mig_devices[0] == MigDevice(
        spec=MigSpec(gpu.uuid, "3g.40gb", Placement(4, 4), "3g.40gb"),
        mig_index=MigIndex(0),
        uuid="MIG-00000000-0000-0000-0001-000000000000",
        gi_id=GiId(1),
        ci_id=CiId(0),
        gi_minor=GiMinor(12),
        ci_minor=CiMinor(13),
        memory_mib=40000,
        sm_count=48,
        gi_slices=3,
        ci_slices=3,
        device_files=(
            DeviceFile("/dev/nvidia0", 195, 0, 0o666),
            DeviceFile("/dev/nvidia-caps/nvidia-cap12", 240, 12, 0o444),
            DeviceFile("/dev/nvidia-caps/nvidia-cap13", 240, 13, 0o444),
        ),
    )


def test_compute_instances_share_their_gpu_instance(root: Path, nvml: FakeNvml) -> None:
    _, first, second = discover(nvml, root).gpus[0].mig_devices
    assert (first.profile, first.spec.profile) == ("1c.2g.20gb", "2g.20gb")
    assert first.spec == second.spec
    assert first.device_files[:2] == second.device_files[:2]
    assert [one.device_files[2].minor for one in (first, second)] == [31, 32]
    assert [one.uuid for one in (first, second)] == sorted({first.uuid, second.uuid})


def test_the_node(root: Path, nvml: FakeNvml) -> None:
    assert discover(nvml, root, "n1").name == "n1"
    assert "." not in discover(nvml, root).name
    assert discover(nvml, root).driver_version == "570.86.15"


def test_files_are_found_by_minor_not_by_index(tmp_path: Path) -> None:
    """NVML counts GPUs along the bus, the driver as it found them."""
    slices = (slice_of("7g.80gb", 0, 8, 0),)
    nvml = FakeNvml([FakeGpu(slices, minor=1), FakeGpu(slices, minor=0)])
    first, second = discover(nvml, lay_out(tmp_path, nvml)).gpus
    assert (first.gpu_index, first.gpu_minor) == (GpuIndex(0), GpuMinor(1))
    assert [f.path for f in first.mig_devices[0].device_files] == [
        "/dev/nvidia1",
        "/dev/nvidia-caps/nvidia-cap138",
        "/dev/nvidia-caps/nvidia-cap139",
    ]
    assert second.mig_devices[0].device_files[0].path == "/dev/nvidia0"


def test_gpus_of_every_kind_side_by_side(tmp_path: Path) -> None:
    on, off = MigMode(current=True, pending=True), MigMode(current=False, pending=False)
    machine = [
        FakeGpu(None, "NVIDIA L40S"),
        FakeGpu(),
        FakeGpu((), mig_mode=on),
        FakeGpu((empty("3g.40gb", 4, 4, 1),)),
        FakeGpu((slice_of("7g.80gb", 0, 8, 0),)),
    ]
    nvml = FakeNvml(machine)
    gpus = discover(nvml, lay_out(tmp_path, nvml)).gpus
    assert [gpu.mig_mode for gpu in gpus] == [None, off, on, on, on]
    assert [len(gpu.mig_devices) for gpu in gpus] == [0, 0, 0, 0, 1]
    assert gpus[3].empty_gpu_instances == (GpuInstance(GiId(1), "3g.40gb", Placement(4, 4)),)
    assert gpus[4].empty_gpu_instances == ()


def test_a_gpu_whose_mig_mode_only_pends_is_a_whole_gpu(tmp_path: Path) -> None:
    nvml = FakeNvml([FakeGpu((), mig_mode=MigMode(current=False, pending=True))])
    assert discover(nvml, lay_out(tmp_path, nvml)).gpus[0].mig_devices == ()
    assert "mig_devices" not in nvml.calls


def test_without_slices_no_capability_file_is_needed(tmp_path: Path) -> None:
    node = discover(FakeNvml([FakeGpu()]), tmp_path)
    assert node.gpus[0].device_file.problems


def test_no_gpus_at_all(tmp_path: Path) -> None:
    assert discover(FakeNvml(), tmp_path, "n1").gpus == ()


def test_indices_keep_their_gap(tmp_path: Path) -> None:
    slices = (slice_of("3g.40gb", 0, 4, 1), slice_of("3g.40gb", 4, 4, 2))
    nvml = FakeNvml([FakeGpu(slices, mig_gaps=frozenset({1}))])
    devices = discover(nvml, lay_out(tmp_path, nvml)).gpus[0].mig_devices
    assert [device.mig_index for device in devices] == [0, 2]


def test_placements_are_unknown_to_others_than_root(root: Path, nvml: FakeNvml) -> None:
    nvml.root_user = False
    gpu = discover(nvml, root).gpus[0]
    assert {device.spec.placement for device in gpu.mig_devices} == {None}
    assert gpu.empty_gpu_instances == ()


def test_missing_nodes_are_problems_of_the_slice_not_errors(tmp_path: Path, nvml: FakeNvml) -> None:
    gpu = discover(nvml, lay_out(tmp_path, nvml, nodes=False)).gpus[0]
    for device in gpu.mig_devices:
        assert [bool(file.problems) for file in device.device_files] == [False, True, True]


def test_cores_next_to_the_gpu(root: Path, nvml: FakeNvml) -> None:
    sysfs(root, {0: ("0", 0, 0), 1: ("1", 1, 1)}, "0-1")
    nvml.machine[0].near = frozenset({1})
    assert discover(nvml, root).gpus[0].cores == Cores(((1, 1),), fill_sockets=True)


def test_without_sys_nvml_is_not_asked_for_cores(root: Path, nvml: FakeNvml) -> None:
    assert discover(nvml, root).gpus[0].cores is None
    assert "near_cpus" not in nvml.calls


@pytest.mark.parametrize("method", ["gpus", "mig_devices", "gpu_instances", "driver_version"])
def test_what_nvml_does_not_answer_is_an_error(root: Path, nvml: FakeNvml, method: str) -> None:
    nvml.failing[method] = nvml_error("GPU 0", GPU_IS_LOST, "GPU is lost")
    with pytest.raises(NvmlError, match=r"GPU 0: .*drain the node"):
        discover(nvml, root)


def test_an_absurd_mig_minors_is_an_error(root: Path, nvml: FakeNvml) -> None:
    (root / "proc/driver/nvidia-caps/mig-minors").write_text("gpu0/gi1/access 1\nhello\n")
    with pytest.raises(CapsError, match="line 2"):
        discover(nvml, root)


class Changing(FakeNvml):
    """A machine whose instances are destroyed between two questions."""

    def gpu_instances(self, gpu_index: GpuIndex) -> tuple[GiInfo, ...] | None:
        return (super().gpu_instances(gpu_index) or ())[:1]


def test_slices_that_change_while_they_are_read(root: Path, nvml: FakeNvml) -> None:
    with pytest.raises(NvmlError, match="GPU 0: its instances changed while they were read"):
        discover(Changing(nvml.machine), root)
