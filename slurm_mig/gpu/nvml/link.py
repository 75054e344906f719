"""Whether NVML is found by the name without a version, which Slurm before 24.05.5 asks for."""

import ctypes


def found_without_version() -> bool:
    """Whether dlopen("libnvidia-ml.so") finds a library, as slurmd's would."""
    try:
        ctypes.CDLL("libnvidia-ml.so")
    except OSError:
        return False
    return True
