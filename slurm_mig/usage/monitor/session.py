"""The monitor's NVML session, and where in it a job's slices are.

Opened when the first job comes, closed when there is none and whenever the GPUs' instances may
have changed, so that it is never in the way of a change and no handle outlives one. What fails
is tried again, later each time.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import NamedTuple

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.nvml.usage_port import Place, UsageNvml
from slurm_mig.model import GpuIndex
from slurm_mig.system import epoch
from slurm_mig.usage.monitor.jobs import HeldSlice

OpenNvml = Callable[[], AbstractContextManager[UsageNvml]]
_JOURNAL = "/var/lib/slurm-mig/journal.json"  # there while an apply is not at its end
_LONGEST_PAUSE_S = 60.0


class Found(NamedTuple):
    """A slice in this session. `shared`: other compute instances are in its GPU instance.

    `share` is its part of the GPU's compute slices; None where the driver does not tell it.
    """

    place: Place
    shared: bool
    share: float | None


class Gpu(NamedTuple):
    """A GPU in this session; `slices` by (gi_id, ci_id), with the UUID of each. Off: no MIG."""

    gpu_index: GpuIndex
    name: str
    off: bool
    compute_slices: int | None
    gpm: bool
    xids: bool
    slices: dict[tuple[int, int], tuple[str, Found]]


class Session:
    """NVML, when it is wanted and may be had."""

    def __init__(self, open_nvml: OpenNvml, root: str) -> None:
        self._open_nvml, self._root = open_nvml, root
        self._stack = ExitStack()
        self._nvml: UsageNvml | None = None
        self._gpus: dict[str, Gpu] = {}
        self._index: dict[str, GpuIndex] | None = None
        self._stamp: tuple[int, int] | None = None
        self._pause_s, self._until_s = 0.0, 0.0
        self.number = 0  # of sessions so far: handles and samples are of one of them

    def close(self) -> None:
        """Let go of NVML. Whatever it answers, it is let go of."""
        stack, self._stack = self._stack, ExitStack()
        self._nvml, self._gpus, self._index = None, {}, None
        try:
            stack.close()
        except NvmlError:
            return

    @property
    def is_open(self) -> bool:
        """Whether NVML is initialised in this process."""
        return self._nvml is not None

    def why_paused(self) -> str | None:
        """Why nothing may be asked now; then the session is closed."""
        if not os.path.lexists(f"{self._root}{_JOURNAL}"):
            return None
        self.close()
        return "the GPUs are being partitioned"

    def open(self, now_s: float, first_pause_s: float) -> UsageNvml:
        """NVML, as the GPUs are cut now: another one after a change. Raises NvmlError."""
        stamp = _stamp_of(f"{self._root}{epoch.FOLDER}/{epoch.GENERATION}")
        if stamp != self._stamp:
            self.close()
        if self._nvml is not None and not 0 < self._until_s <= now_s:
            return self._nvml
        if self._nvml is None and now_s < self._until_s:
            raise NvmlError(f"NVML is asked again in {self._until_s - now_s:.0f} s")
        self.close()
        self._stamp, self._until_s = stamp, 0.0
        try:
            self._nvml = self._stack.enter_context(self._open_nvml())
            self.number += 1
        except NvmlError:
            self.failed(now_s, first_pause_s)
            raise
        return self._nvml

    def failed(self, now_s: float, first_pause_s: float) -> None:
        """Something is not as this session has it: have a new one, after a longer time each time.

        Until then it is used on: what fails may be one GPU of many.
        """
        if self._until_s == 0.0:
            self._pause_s = min(max(2 * self._pause_s, first_pause_s), _LONGEST_PAUSE_S)
            self._until_s = now_s + self._pause_s

    def went_well(self) -> None:
        """The next failure is the first again."""
        self._pause_s = self._until_s = 0.0

    def gpu(self, gpu_uuid: str) -> Gpu:
        """A GPU as it is cut now. Raises NvmlError, also where there is none of that UUID."""
        nvml = self._nvml
        if nvml is None:
            raise NvmlError("NVML is not open")
        if gpu_uuid not in self._gpus:
            if self._index is None:
                self._index = _indices(nvml)
            if gpu_uuid not in self._index:
                raise NvmlError(f"{gpu_uuid} is not there: see `slurm-mig discover`")
            self._gpus[gpu_uuid] = _look(nvml, self._index[gpu_uuid])
        return self._gpus[gpu_uuid]

    def find(self, gpu: Gpu, one: HeldSlice) -> Found | None:
        """A job's slice; None where the GPU has no such slice, or another in its place."""
        if one.gi_id is None or one.ci_id is None:
            return Found(Place(gpu.gpu_index, None), False, 1.0) if gpu.off else None
        uuid, found = gpu.slices.get((one.gi_id, one.ci_id), (None, None))
        return found if uuid == one.mig_uuid else None


def _indices(nvml: UsageNvml) -> dict[str, GpuIndex]:
    """UUID -> index of every GPU that answers."""
    found = {}
    for number in range(nvml.gpu_count()):
        try:
            found[nvml.gpu(GpuIndex(number)).uuid] = GpuIndex(number)
        except NvmlError:
            continue
    return found


def _look(nvml: UsageNvml, gpu_index: GpuIndex) -> Gpu:
    info, devices = nvml.gpu(gpu_index), nvml.mig_devices(gpu_index)
    total = nvml.compute_slices(gpu_index)
    instances = [one.gi_id for one in devices]
    slices = {
        (int(one.gi_id), int(one.ci_id)): (
            one.uuid,
            Found(
                Place(gpu_index, one.mig_index),
                instances.count(one.gi_id) > 1,
                one.ci_slices / total if total else None,
            ),
        )
        for one in devices
    }
    off = info.mig_mode is None or not info.mig_mode.current
    xids = gpu_index in nvml.watch((gpu_index,))
    return Gpu(gpu_index, info.name, off, total, nvml.has_gpm(gpu_index), xids, slices)


def _stamp_of(path: str) -> tuple[int, int] | None:
    try:
        stat = os.stat(path, follow_symlinks=False)  # noqa: PTH116
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns
