"""The steps of a plan, carried out by nvidia-ml-py on a simulated GPU; and how it looks then.

Without any of the product's care: every refusal is an error here.
"""

from collections.abc import Sequence
from typing import Any

import pynvml

from slurm_mig.gpu.nvml.port import GpuInfo
from slurm_mig.gpu.partitioning import CiSpec, LiveCi, LiveGi, LiveGpu
from slurm_mig.gpu.planning.plan_steps import (
    CreateCi,
    CreateGi,
    DestroyCi,
    DestroyGi,
    Reset,
    SetMode,
    Step,
)
from slurm_mig.model import CiId, GiId, GpuIndex, GpuMinor, MigMode, Placement
from tests.gpu.papergpu import profiles
from tests.sim.api import Sim
from tests.sim.models import CiProfile
from tests.sim.nvml_calls import create_at, create_ci_at

Shown = dict[str, Any]


def look(sim: Sim, gpu_index: int = 0) -> LiveGpu:
    """A GPU as its state says, told by another way than NVML."""
    shown, model = sim.show()["gpus"][gpu_index], sim.model(gpu_index)
    mode = shown["mig_mode"]
    info = GpuInfo(
        gpu_index=GpuIndex(gpu_index),
        gpu_minor=GpuMinor(shown["gpu_minor"]),
        uuid=shown["uuid"],
        name=shown["name"],
        pci_bus_id=shown["pci_bus_id"],
        memory_mib=model.memory_mib,
        mig_mode=MigMode(bool(mode["current"]), bool(mode["pending"])) if model.mig else None,
    )
    return LiveGpu(
        info=info,
        pci_device_id=model.pci_device_id,
        pci_subsystem_id=model.pci_subsystem_id,
        mode_needs_reset=model.reset_for_mode,
        profiles=profiles(model),
        instances=tuple(sorted(map(_gi, shown["gpu_instances"]), key=lambda gi: gi.placement)),
    )


def _gi(shown: Shown) -> LiveGi:
    cis = sorted(map(_ci, shown["compute_instances"]), key=lambda ci: ci.spec.start or 0)
    place = Placement(**shown["placement"])
    return LiveGi(GiId(shown["gi_id"]), shown["profile"], place, tuple(cis))


def _ci(shown: Shown) -> LiveCi:
    spec = CiSpec(shown["profile"], shown["profile_id"], shown["placement"]["start"])
    return LiveCi(CiId(shown["ci_id"]), spec, shown["sm_count"])


def run(sim: Sim, steps: Sequence[Step], gpu_index: int = 0) -> None:
    """Carry out all steps. Raises NVMLError where one is refused."""
    for number, step in enumerate(steps):
        pending = isinstance(step, SetMode) and isinstance((*steps, None)[number + 1], Reset)
        _do(sim, gpu_index, step, pending)


def _do(sim: Sim, gpu_index: int, step: Step, pending: bool) -> None:
    gpu = pynvml.nvmlDeviceGetHandleByIndex(gpu_index)
    match step:
        case DestroyCi(_, gi, ci):
            pynvml.nvmlComputeInstanceDestroy(_find_ci(sim, gpu_index, gi.placement, ci))
        case DestroyGi(_, gi):
            pynvml.nvmlGpuInstanceDestroy(_find_gi(sim, gpu_index, gi.placement))
        case SetMode(_, on):
            activation = pynvml.nvmlDeviceSetMigMode(gpu, int(on))
            expected = pynvml.NVML_ERROR_RESET_REQUIRED if pending else pynvml.NVML_SUCCESS
            assert activation == expected, (step, activation)
        case Reset():
            sim.reset(gpu_index)
        case CreateGi(_, name, place):
            create_at(gpu, sim.model(gpu_index).profile(name).profile_id, *place)
        case CreateCi(_, place, ci):
            profile = _ci_profile(sim, gpu_index, place, ci)
            instance = _find_gi(sim, gpu_index, place)
            if ci.start is None:
                pynvml.nvmlGpuInstanceCreateComputeInstance(instance, profile.profile_id)
            else:
                create_ci_at(instance, profile.profile_id, ci.start, profile.size)


def _shown_gi(sim: Sim, gpu_index: int, place: Placement) -> Shown:
    instances = sim.show()["gpus"][gpu_index]["gpu_instances"]
    (found,) = [gi for gi in instances if gi["placement"] == place._asdict()]
    return dict(found)


def _find_gi(sim: Sim, gpu_index: int, place: Placement) -> Any:
    gpu = pynvml.nvmlDeviceGetHandleByIndex(gpu_index)
    gi_id = _shown_gi(sim, gpu_index, place)["gi_id"]
    return pynvml.nvmlDeviceGetGpuInstanceById(gpu, gi_id)


def _find_ci(sim: Sim, gpu_index: int, place: Placement, spec: CiSpec) -> Any:
    shown = _shown_gi(sim, gpu_index, place)["compute_instances"]
    (found,) = [ci for ci in shown if _ci(ci).spec == spec]
    instance = _find_gi(sim, gpu_index, place)
    return pynvml.nvmlGpuInstanceGetComputeInstanceById(instance, found["ci_id"])


def _ci_profile(sim: Sim, gpu_index: int, place: Placement, spec: CiSpec) -> CiProfile:
    model = sim.model(gpu_index).profile(_shown_gi(sim, gpu_index, place)["profile"])
    named = [ci for ci in model.ci_profiles if ci.name == spec.ci_profile]
    if spec.ci_profile_id is not None:
        named = [ci for ci in named if ci.profile_id == spec.ci_profile_id]
    return max(named, key=lambda ci: ci.sm_count)
