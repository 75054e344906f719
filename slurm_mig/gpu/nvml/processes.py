"""Which processes NVML knows on a GPU: a small port, and its adapter over nvidia-ml-py."""

from typing import Any, NamedTuple, Protocol

from slurm_mig.gpu.nvml import codes
from slurm_mig.model import CiId, GiId, GpuIndex

_NO_INSTANCE = 0xFFFFFFFF


class GpuProcess(NamedTuple):
    """A process that computes or draws on a GPU; gi_id and ci_id None: on the whole of it."""

    pid: int
    gi_id: GiId | None
    ci_id: CiId | None


class NvmlProcesses(Protocol):
    """What is asked of an open NVML session. NvmlError when it does not answer."""

    def processes(self, gpu_index: GpuIndex) -> tuple[GpuProcess, ...]:
        """All of a GPU, each once for every instance that it is on; who only watches is not."""


class PynvmlProcesses:
    """`NvmlProcesses` over the NVML session that is open in this process."""

    def __init__(self) -> None:
        import pynvml

        self._nv: Any = pynvml

    def processes(self, gpu_index: GpuIndex) -> tuple[GpuProcess, ...]:
        """All of a GPU."""
        nv, where = self._nv, f"GPU {gpu_index}"
        try:
            gpu = nv.nvmlDeviceGetHandleByIndex(gpu_index)
            found = [*self._listed(gpu, "Compute"), *self._listed(gpu, "Graphics")]
        except nv.NVMLError as error:
            raise codes.nvml_error(where, error.value, str(error)) from None
        return tuple(sorted({_process(one) for one in found}, key=_order))

    def _listed(self, gpu: object, kind: str) -> list[Any]:
        name = f"nvmlDeviceGet{kind}RunningProcesses"
        try:
            return list(getattr(self._nv, f"{name}_v3")(gpu))
        except self._nv.NVMLError as error:
            if error.value == codes.NOT_SUPPORTED:  # of graphics, on a GPU that has none
                return []
            if error.value != codes.FUNCTION_NOT_FOUND:  # a driver before 510
                raise
        return list(getattr(self._nv, f"{name}_v2")(gpu))


def _process(one: Any) -> GpuProcess:  # noqa: ANN401  (pynvml's own structure)
    gi_id, ci_id = (_instance(one, name) for name in ("gpuInstanceId", "computeInstanceId"))
    return GpuProcess(
        int(one.pid),
        None if gi_id is None else GiId(gi_id),
        None if ci_id is None else CiId(ci_id),
    )


def _instance(one: object, name: str) -> int | None:
    value = getattr(one, name, None)
    return None if value is None or value == _NO_INSTANCE else int(value)


def _order(one: GpuProcess) -> tuple[int, int, int]:
    return one.pid, -1 if one.gi_id is None else one.gi_id, -1 if one.ci_id is None else one.ci_id
