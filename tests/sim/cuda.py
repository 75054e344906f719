"""What CUDA does before a program runs: which device it takes. For `python -m tests.sim run`.

A process may use a MIG device if it can open the GPU's node and both cap nodes; the device
cgroup answers EPERM. Behind a simulated node is no driver, so ENXIO means: allowed.
"""

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.sim.errors import SimError
from tests.sim.library import NONE


@dataclass(frozen=True)
class Device:
    """A whole GPU or a MIG device; `names` are all the words that CUDA knows it by."""

    names: tuple[str, ...]
    gpu_index: int
    gi_id: int
    ci_id: int
    files: tuple[Path, ...]

    @property
    def is_mig(self) -> bool:
        """Whether it is a slice."""
        return self.gi_id != NONE


def devices(state: Mapping[str, Any], dev: Path) -> Iterator[Device]:
    """Everything CUDA could compute on, in NVML's order; a GPU in MIG mode is not."""
    for gpu in state["gpus"]:
        minor, index = gpu["gpu_minor"], gpu["gpu_index"]
        parent = dev / f"nvidia{minor}"
        if gpu["lost"]:
            continue
        if not gpu["mig_mode"]["current"]:
            yield Device((gpu["uuid"],), index, NONE, NONE, (parent,))
        for gi in gpu["gpu_instances"]:
            number = 3 + 135 * minor + 9 * gi["gi_id"]
            for ci in gi["compute_instances"]:
                caps = [number, number + 1 + ci["ci_id"]]
                files = (parent, *(dev / "nvidia-caps" / f"nvidia-cap{n}" for n in caps))
                names = (ci["uuid"], f"MIG-{gpu['uuid']}/{gi['gi_id']}/{ci['ci_id']}")
                yield Device(names, index, gi["gi_id"], ci["ci_id"], files)


def refusal(files: Iterable[Path]) -> str | None:
    """Which of these files this process may not open, and why; None if it may open all."""
    for path in files:
        try:
            os.close(os.open(path, os.O_RDONLY))
        except OSError as error:
            if error.errno != errno.ENXIO:
                return f"{path}: {errno.errorcode.get(error.errno or 0)}"
    return None


def choose(state: Mapping[str, Any], dev: Path, visible: str | None) -> Device:
    """The device CUDA would make device 0. SimError says why there is none.

    Unset: the first that can be opened, whole GPUs and slices alike. Else the first word
    decides: a process has one MIG device at most, and words after a bad one do not count.
    An integer counts the GPUs that this process can open at all, and on a GPU in MIG mode
    means its first slice. A UUID may be cut short.
    """
    every = list(devices(state, dev))
    wanted = every if visible is None else _named(state, dev, every, visible)
    refusals = []
    for device in wanted:
        why = refusal(device.files)
        if why is None:
            return device
        refusals.append(f"{device.names[0]} ({why})")
    if refusals:
        raise SimError(f"no CUDA-capable device: {', '.join(refusals)}")
    given = "unset" if visible is None else f"{visible!r}"
    raise SimError(f"no CUDA-capable device is detected (CUDA_VISIBLE_DEVICES {given})")


def choose_gpu(state: Mapping[str, Any], dev: Path, visible: str | None) -> Device:
    """The GPU that a client as DCGM watches, MIG mode or not: of that uuid or index, or the first.

    SimError when there is no such GPU, or its node may not be opened.
    """
    for gpu in state["gpus"]:
        if visible in (None, gpu["uuid"], str(gpu["gpu_index"])):
            files = (dev / f"nvidia{gpu['gpu_minor']}",)
            why = refusal(files)
            if why is not None:
                raise SimError(f"cannot watch {gpu['uuid']} ({why})")
            return Device((gpu["uuid"],), gpu["gpu_index"], NONE, NONE, files)
    raise SimError(f"no GPU {visible!r} to watch")


def _named(state: Mapping[str, Any], dev: Path, every: list[Device], visible: str) -> list[Device]:
    word = visible.split(",")[0].strip()
    if word.isdecimal():
        paths = {gpu["gpu_index"]: dev / f"nvidia{gpu['gpu_minor']}" for gpu in state["gpus"]}
        open_gpus = [index for index, path in paths.items() if refusal((path,)) is None]
        chosen = open_gpus[int(word)] if int(word) < len(open_gpus) else None
        return [device for device in every if device.gpu_index == chosen]
    if len(word) < len("GPU-0"):
        return []
    for gpu in state["gpus"]:
        if gpu["uuid"].startswith(word):
            return [device for device in every if device.gpu_index == gpu["gpu_index"]]
    return [d for d in every if any(name.startswith(word) for name in d.names)]
