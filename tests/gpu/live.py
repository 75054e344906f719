"""A simulated machine's GPUs as partitioning sees them, read from its state and not by NVML."""

from typing import Any

from slurm_mig.gpu.nvml.port import GpuInfo
from slurm_mig.gpu.partitioning import CiSpec, LiveCi, LiveGi, LiveGpu
from slurm_mig.model import CiId, GiId, GpuIndex, GpuMinor, MigMode, Placement
from tests.sim.api import Sim


def live_gpus(sim: Sim) -> tuple[LiveGpu, ...]:
    """All GPUs of the machine; without the profiles that they offer."""
    return tuple(_gpu(gpu) for gpu in sim.show()["gpus"])


def _gpu(gpu: dict[str, Any]) -> LiveGpu:
    mode = MigMode(*(bool(gpu["mig_mode"][name]) for name in ("current", "pending")))
    info = GpuInfo(
        gpu_index=GpuIndex(gpu["gpu_index"]),
        gpu_minor=GpuMinor(gpu["gpu_minor"]),
        uuid=gpu["uuid"],
        name=gpu["name"],
        pci_bus_id=gpu["pci_bus_id"],
        memory_mib=0,
        mig_mode=mode if gpu["mig_capable"] else None,
    )
    instances = tuple(_gi(gi) for gi in gpu["gpu_instances"])
    return LiveGpu(info, 0, 0, "A100" in info.name or "A30" in info.name, (), instances)


def _gi(gi: dict[str, Any]) -> LiveGi:
    cis = tuple(
        LiveCi(
            CiId(ci["ci_id"]),
            CiSpec(ci["profile"], ci["profile_id"], ci["placement"]["start"]),
            ci["sm_count"],
        )
        for ci in gi["compute_instances"]
    )
    place = Placement(gi["placement"]["start"], gi["placement"]["size"])
    return LiveGi(GiId(gi["gi_id"]), gi["profile"], place, cis)
