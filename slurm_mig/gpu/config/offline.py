"""GPU models by name, for planning where there is no such GPU (models.toml)."""

from functools import cache
from pathlib import Path
from typing import Any

from slurm_mig.errors import UsageError
from slurm_mig.gpu.nvml.port import GpuInfo
from slurm_mig.gpu.partitioning import GiProfile, LiveGpu
from slurm_mig.model import GpuIndex, GpuMinor, MigMode, Placement, ProfileId

_WORDS = {
    "placements": "where instances can lie",
    "sm_count": "SMs",
    "memory_mib": "memory",
    "profile_id": "profile ids",
    "units": "the number of memory units",
}


@cache
def _models() -> dict[str, dict[str, Any]]:
    import tomllib  # for those who have no GPU to ask

    text = Path(__file__).with_name("models.toml").read_text("utf-8")
    models: dict[str, dict[str, Any]] = tomllib.loads(text)["models"]
    return models


def keys() -> tuple[str, ...]:
    """The models there are, in alphabetical order."""
    return tuple(sorted(_models()))


def gpu(key: str, gpu_index: int = 0) -> LiveGpu:
    """A GPU of that model as it comes: MIG is off and nothing is on it.

    Its UUID and PCI address are made up of `gpu_index`. UsageError names the models there are.
    """
    row = _row(key)
    off = MigMode(current=False, pending=False)
    return LiveGpu(
        info=GpuInfo(
            gpu_index=GpuIndex(gpu_index),
            gpu_minor=GpuMinor(gpu_index),
            uuid=f"GPU-00000000-0000-0000-0000-{gpu_index:012d}",
            name=row["name"],
            pci_bus_id=f"00000000:{gpu_index:02X}:00.0",
            memory_mib=row["memory_mib"],
            mig_mode=off if row["mig"] else None,
        ),
        pci_device_id=row["pci_device_id"],
        pci_subsystem_id=row["pci_subsystem_id"],
        mode_needs_reset=row["mode_needs_reset"],
        profiles=tuple(_profile(profile) for profile in row["profiles"]),
        instances=(),
    )


def completed(gpu: LiveGpu) -> LiveGpu:
    """The same GPU, with what is published of its model where its driver tells no profiles.

    Drivers tell where instances can lie with MIG on only. Taken from the table if that has a
    model of this name and PCI id of which everything is known from hardware; else there are no
    profiles, for what fits cannot be said before MIG is on.
    """
    if gpu.profiles or gpu.info.mig_mode is None:
        return gpu
    for row in _models().values():
        same = (row["name"], row["pci_device_id"]) == (gpu.info.name, gpu.pci_device_id)
        if same and not any("unknown" in profile for profile in row["profiles"]):
            return gpu._replace(profiles=tuple(map(_profile, row["profiles"])))
    return gpu


def unknown(key: str) -> tuple[str, ...]:
    """What no source from hardware says of that model, a line each: those are stand-ins.

    Of that which a plan depends on only: nobody plans by a board's subsystem id.
    """
    row = _row(key)
    fields: dict[str, list[str]] = {}
    for profile in row["profiles"]:
        for field in profile.get("unknown", ()):
            fields.setdefault(field, []).append(profile["name"])
    lines = [_WORDS[field] for field in row["unknown"] if field in _WORDS]
    for field, names in fields.items():
        everywhere = len(names) == len(row["profiles"])
        lines.append(f"{_WORDS[field]} of {'every profile' if everywhere else ', '.join(names)}")
    return tuple(f"{key}: not known from hardware, but assumed: {line}" for line in lines)


def _row(key: str) -> dict[str, Any]:
    models = _models()
    if key in models:
        return models[key]
    import difflib

    near = difflib.get_close_matches(key.lower(), models, n=1, cutoff=0.5)
    meant = f"did you mean {near[0]}? " if near else ""
    raise UsageError(f"no GPU model {key!r} is known: {meant}There are {', '.join(keys())}")


def _profile(row: dict[str, Any]) -> GiProfile:
    return GiProfile(
        profile=row["name"],
        profile_id=ProfileId(row["id"]),
        slices=row["slices"],
        memory_mib=row["memory_mib"],
        sm_count=row["sm_count"],
        max_count=row["max_count"],
        placements=tuple(Placement(start, row["size"]) for start in row["starts"]),
    )
