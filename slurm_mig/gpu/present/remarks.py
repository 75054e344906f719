"""What an administrator should know of a node that makes nothing on it wrong. Pure."""

from collections.abc import Iterator, Sequence

from slurm_mig.gpu.driver.names import MIG_MINORS, entry, known_minor
from slurm_mig.model import Gpu

_READ_BY_ALL = 0o004


def node_warnings(gpus: Sequence[Gpu], *, hidden: bool) -> tuple[str, ...]:
    """Of the whole node; `hidden`: NVML told its GPU instances to root only."""
    return (*_hidden(hidden), *_new_numbering(gpus))


def gpu_warnings(gpu: Gpu) -> tuple[str, ...]:
    """Of one GPU and its slices."""
    return (*_mode(gpu), *_unused(gpu), *_gap(gpu), *_closed_files(gpu))


def _hidden(hidden: bool) -> Iterator[str]:
    if hidden:
        yield (
            "NVML tells placements, and GPU instances without a compute instance, to root only: "
            "run as root to see them"
        )


def _new_numbering(gpus: Sequence[Gpu]) -> Iterator[str]:
    """The first entry of mig-minors that differs from every driver known so far."""
    for gpu in gpus:
        for device in gpu.mig_devices:
            for ci_id, minor in ((None, device.gi_minor), (device.ci_id, device.ci_minor)):
                known = known_minor(gpu.gpu_minor, device.gi_id, ci_id)
                if minor != known:
                    name = entry(gpu.gpu_minor, device.gi_id, ci_id)
                    yield (
                        f"{MIG_MINORS} says {minor} for {name}, drivers known so far say {known}: "
                        "right if this driver is newer; otherwise find out what wrote that file"
                    )
                    return


def _mode(gpu: Gpu) -> Iterator[str]:
    mode = gpu.mig_mode
    if mode is not None and mode.current != mode.pending:
        now, then = ("on", "off") if mode.current else ("off", "on")
        yield f"MIG mode is {now} until the GPU is reset, then {then}"


def _unused(gpu: Gpu) -> Iterator[str]:
    for instance in gpu.empty_gpu_instances:
        yield (
            f"GPU instance {instance.gi_id} ({instance.profile}) has no compute instance: "
            "no job can use it"
        )
    on = gpu.mig_mode is not None and gpu.mig_mode.current
    if on and not gpu.mig_devices and not gpu.empty_gpu_instances:
        yield "MIG mode is on but there are no instances: no job can use this GPU"


def _gap(gpu: Gpu) -> Iterator[str]:
    indices = [device.mig_index for device in gpu.mig_devices]
    missing = sorted(set(range(max(indices, default=-1))) - set(indices))
    if missing:
        yield (
            f"NVML's list of MIG devices has a gap at index {missing[0]}: "
            "Slurm's AutoDetect=nvml loses all devices behind it"
        )


def _closed_files(gpu: Gpu) -> Iterator[str]:
    slices = (file for device in gpu.mig_devices for file in device.device_files[1:])
    modes = {file.path: file.mode for file in (gpu.device_file, *slices)}
    for path, mode in modes.items():
        if mode is not None and not mode & _READ_BY_ALL:
            yield f"{path} has mode {mode:04o}: only its owner and group can use it"
