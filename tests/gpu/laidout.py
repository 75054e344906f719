"""GPUs as a survey would see them, made of the simulator's models and LAYOUT strings: no NVML."""

from slurm_mig.gpu.nvml.port import GpuInfo
from slurm_mig.gpu.partitioning import CiSpec, GiProfile, LiveCi, LiveGi, LiveGpu
from slurm_mig.model import CiId, GiId, GpuIndex, GpuMinor, MigMode, Placement, ProfileId
from tests.sim import layout as layouts
from tests.sim.models import GpuModel, load


def live_gpu(key: str, layout: str = "off", gpu_index: int = 0) -> LiveGpu:
    """A GPU of that model cut up as `layout` says; "mig" is MIG on without instances."""
    model = load(key)
    on = layout != "off"
    mode = MigMode(on, on) if model.mig else None
    return LiveGpu(
        info=_info(model, gpu_index, mode),
        pci_device_id=model.pci_device_id,
        pci_subsystem_id=model.pci_subsystem_id,
        mode_needs_reset=model.reset_for_mode,
        profiles=profiles_of(model),
        instances=_instances(model, layout) if on else (),
    )


def _info(model: GpuModel, gpu_index: int, mode: MigMode | None) -> GpuInfo:
    return GpuInfo(
        gpu_index=GpuIndex(gpu_index),
        gpu_minor=GpuMinor(gpu_index),
        uuid=f"GPU-00000000-0000-0000-0000-{gpu_index:012d}",
        name=model.name,
        pci_bus_id=f"00000000:{gpu_index:02X}:00.0",
        memory_mib=model.memory_mib,
        mig_mode=mode,
    )


def profiles_of(model: GpuModel) -> tuple[GiProfile, ...]:
    """What the model offers, as NVML would say it."""
    return tuple(
        GiProfile(
            profile=row.name,
            profile_id=ProfileId(row.profile_id),
            slices=row.slices,
            memory_mib=row.memory_mib,
            sm_count=row.sm_count,
            max_count=row.max_count,
            placements=tuple(Placement(start, row.size) for start in row.starts),
        )
        for row in model.profiles
    )


def _instances(model: GpuModel, layout: str) -> tuple[LiveGi, ...]:
    found = [
        LiveGi(
            GiId(number),
            gi.profile.name,
            Placement(gi.start, gi.profile.size),
            tuple(
                LiveCi(
                    CiId(ci_number),
                    CiSpec(ci.profile.name, ci.profile.profile_id, ci.start),
                    ci.profile.sm_count,
                )
                for ci_number, ci in enumerate(sorted(gi.cis, key=lambda ci: ci.start))
            ),
        )
        for number, gi in enumerate(layouts.plan(model, layout))
    ]
    return tuple(sorted(found, key=lambda gi: gi.placement.start))
