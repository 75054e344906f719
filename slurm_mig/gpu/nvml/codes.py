"""NVML's return codes (nvmlReturn_t) that we act on, and what to do about the others.

Numbers from nvidia-ml-py (NVML_ERROR_*), stable over all driver versions.
"""

from typing import Final

from slurm_mig.errors import NvmlError

INVALID_ARGUMENT: Final = 2
NOT_SUPPORTED: Final = 3
NO_PERMISSION: Final = 4
NOT_FOUND: Final = 6
DRIVER_NOT_LOADED: Final = 9
TIMEOUT: Final = 10
LIBRARY_NOT_FOUND: Final = 12
FUNCTION_NOT_FOUND: Final = 13
GPU_IS_LOST: Final = 15
RESET_REQUIRED: Final = 16
OPERATING_SYSTEM: Final = 17
VERSION_MISMATCH: Final = 18
IN_USE: Final = 19
INSUFFICIENT_RESOURCES: Final = 23

_CHANGED: Final = "the GPU's instances may have changed while they were read; run the command again"
_LOAD: Final = "load it with `modprobe nvidia`, or see why not in `dmesg | grep -i nvrm`"

_ADVICE: Final = {
    INVALID_ARGUMENT: _CHANGED,
    NOT_SUPPORTED: "this GPU or driver lacks the call; update the driver",
    NO_PERMISSION: "run as root",
    NOT_FOUND: _CHANGED,
    DRIVER_NOT_LOADED: f"the NVIDIA kernel module is not loaded; {_LOAD}",
    TIMEOUT: "the driver does not answer; look into `dmesg | grep -i nvrm`",
    LIBRARY_NOT_FOUND: "libnvidia-ml.so.1 was not found; install the NVIDIA driver, "
    "or run where it is installed",
    FUNCTION_NOT_FOUND: "libnvidia-ml.so.1 is too old; update the NVIDIA driver",
    GPU_IS_LOST: "it fell off the bus; drain the node, look for Xid 79 in `dmesg` and reboot",
    RESET_REQUIRED: "drain the node and reset the GPU (`nvidia-smi -r`) or reboot",
    OPERATING_SYSTEM: "the system blocked the request; are /dev/nvidiactl and /dev/nvidia* there, "
    "and allowed here?",
    VERSION_MISMATCH: "library and kernel module are of different driver versions; "
    "reload the module or reboot",
    IN_USE: "a process holds it; find it with `fuser -v /dev/nvidia*`",
    INSUFFICIENT_RESOURCES: "another instance is in that place; run `slurm-mig discover`",
}
_OTHERWISE: Final = "look into `dmesg | grep -i nvrm`"


def nvml_error(where: str, code: int, text: str) -> NvmlError:
    """The error of one call: `where` ("GPU 3"), NVML's own `text`, and what to do next."""
    return NvmlError(f"{where}: NVML: {text} ({code}): {_ADVICE.get(code, _OTHERWISE)}", code)
