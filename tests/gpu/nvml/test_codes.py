"""Every error of NVML says where, what, and what to do next."""

import pytest

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.nvml import codes

ADVICE = {
    codes.NO_PERMISSION: "run as root",
    codes.NOT_FOUND: "run the command again",
    codes.INVALID_ARGUMENT: "run the command again",
    codes.DRIVER_NOT_LOADED: "modprobe nvidia",
    codes.LIBRARY_NOT_FOUND: "install the NVIDIA driver",
    codes.FUNCTION_NOT_FOUND: "update the NVIDIA driver",
    codes.GPU_IS_LOST: "fell off the bus; drain the node",
    codes.RESET_REQUIRED: "reset the GPU",
    codes.VERSION_MISMATCH: "reload the module or reboot",
    codes.IN_USE: "fuser -v",
    999: "dmesg",
}


@pytest.mark.parametrize("code", ADVICE)
def test_the_line_says_where_what_and_what_next(code: int) -> None:
    error = codes.nvml_error("GPU 3", code, "Some Words")
    assert isinstance(error, NvmlError)
    assert error.code == code
    assert str(error).startswith(f"GPU 3: NVML: Some Words ({code}): ")
    assert ADVICE[code] in str(error)
    assert "\n" not in str(error)


def test_the_codes_are_nvmls() -> None:
    import pynvml

    ours = {name: value for name, value in vars(codes).items() if name.isupper() and name[0] != "_"}
    theirs = {"SUCCESS": "NVML_SUCCESS", "VERSION_MISMATCH": "NVML_ERROR_LIB_RM_VERSION_MISMATCH"}
    names = {name: theirs.get(name, f"NVML_ERROR_{name}") for name in ours}
    assert ours == {name: getattr(pynvml, names[name]) for name in ours}
