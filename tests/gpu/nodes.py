"""Random nodes, as discover could have made them: hypothesis strategies."""

from hypothesis import strategies as st

from slurm_mig.gpu.driver.names import cap_path, gpu_path
from slurm_mig.gpu.profile import Profile
from slurm_mig.model import (
    CiId,
    CiMinor,
    Cores,
    DeviceFile,
    GiId,
    GiMinor,
    Gpu,
    GpuIndex,
    GpuInstance,
    GpuMinor,
    MigDevice,
    MigIndex,
    MigMode,
    MigSpec,
    Node,
    Placement,
)

_LINE = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30)
_LINES = st.lists(_LINE, max_size=2).map(tuple)
_PLACEMENT = st.none() | st.builds(Placement, st.integers(0, 11), st.integers(1, 12))
_NUMBER = st.integers(0, 2**31)


def _file(path: str, minor: int) -> st.SearchStrategy[DeviceFile]:
    modes = st.none() | st.integers(0, 0o7777)
    majors = st.none() | st.integers(0, 511)
    return st.builds(DeviceFile, st.just(path), majors, st.just(minor), modes, _LINES)


@st.composite
def _mig_device(draw: st.DrawFn, gpu_uuid: str, gpu_minor: int, number: int) -> MigDevice:
    gi_slices = draw(st.integers(1, 12))
    ci_slices = draw(st.integers(1, gi_slices))
    attribute = draw(st.sampled_from(["", "+me", "-me", "+gfx", "+me.all"]))
    memory_gb = draw(st.integers(1, 300))
    gi_minor, ci_minor = 3 + 9 * number, 4 + 9 * number
    return MigDevice(
        spec=MigSpec(
            gpu_uuid=gpu_uuid,
            profile=str(Profile(gi_slices, gi_slices, memory_gb, attribute)),
            placement=draw(_PLACEMENT),
            ci_profile=str(Profile(gi_slices, ci_slices, memory_gb, attribute)),
        ),
        mig_index=MigIndex(number),
        uuid=f"MIG-{gpu_uuid}-{number}",
        gi_id=GiId(draw(st.integers(0, 14))),
        ci_id=CiId(draw(st.integers(0, 7))),
        gi_minor=GiMinor(gi_minor),
        ci_minor=CiMinor(ci_minor),
        memory_mib=draw(_NUMBER),
        sm_count=draw(_NUMBER),
        gi_slices=gi_slices,
        ci_slices=ci_slices,
        device_files=(
            draw(_file(gpu_path(gpu_minor), gpu_minor)),
            draw(_file(cap_path(gi_minor), gi_minor)),
            draw(_file(cap_path(ci_minor), ci_minor)),
        ),
    )


@st.composite
def _gpu(draw: st.DrawFn, number: int) -> Gpu:
    uuid = f"GPU-{number}"
    count = draw(st.integers(0, 3))
    modes = st.builds(MigMode, st.booleans(), st.booleans())
    on = MigMode(current=True, pending=draw(st.booleans()))
    spans = st.tuples(st.integers(0, 9), st.integers(10, 99))
    return Gpu(
        gpu_index=GpuIndex(number),
        gpu_minor=GpuMinor(number),
        uuid=uuid,
        name=draw(_LINE),
        pci_bus_id=draw(_LINE),
        memory_mib=draw(_NUMBER),
        mig_mode=on if count else draw(st.none() | modes),
        device_file=draw(_file(gpu_path(number), number)),
        mig_devices=tuple(draw(_mig_device(uuid, number, n)) for n in range(count)),
        empty_gpu_instances=draw(
            st.lists(
                st.builds(GpuInstance, st.integers(0, 14).map(GiId), _LINE, _PLACEMENT), max_size=1
            ).map(tuple)
        ),
        cores=draw(st.none() | st.builds(Cores, st.tuples(spans), st.booleans())),
        warnings=draw(_LINES),
    )


@st.composite
def nodes(draw: st.DrawFn) -> Node:
    """A node with up to two GPUs."""
    count = draw(st.integers(0, 2))
    gpus = tuple(draw(_gpu(number)) for number in range(count))
    return Node(draw(_LINE), draw(_LINE), gpus, draw(_LINES))
