"""How all GPUs are cut, as NVML tells it: looked at once a session, and now and then.

A session ends with every change that anybody heard of. The later looks are for those of which
a GPU tells nobody.
"""

from collections.abc import Iterator

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.nvml.usage_port import UsageNvml
from slurm_mig.model import GpuIndex
from slurm_mig.usage.monitor.snapshot import GpuLayout

AGAIN_S = 600.0


class Layout:
    """`gpus` are those that answered; none before the first look."""

    def __init__(self) -> None:
        self.gpus: tuple[GpuLayout, ...] = ()
        self._number: int | None = None
        self._next_s = 0.0

    def look(self, nvml: UsageNvml, number: int, now_s: float) -> None:
        """Look, where `number` is another session, or the last look was long ago."""
        if number == self._number and now_s < self._next_s:
            return
        self._number, self._next_s = number, now_s + AGAIN_S
        self.gpus = tuple(_each(nvml))

    def forget(self) -> None:
        """Nobody looks any more, so nothing is known."""
        self.gpus, self._number = (), None


def _each(nvml: UsageNvml) -> Iterator[GpuLayout]:
    try:
        count = nvml.gpu_count()
    except NvmlError:  # what needs it says so
        return
    for number in range(count):
        try:
            info, devices = nvml.gpu(GpuIndex(number)), nvml.mig_devices(GpuIndex(number))
        except NvmlError:  # of a lost GPU nothing is known
            continue
        mig = info.mig_mode is not None and info.mig_mode.current
        instances = tuple((int(one.gi_id), int(one.ci_id), one.uuid) for one in devices)
        yield GpuLayout(info.uuid, mig, instances)
