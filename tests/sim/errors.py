"""What goes wrong with a simulated machine, said in one line."""


class SimError(Exception):
    """A mistake in what was asked of the simulator, with what to do instead."""


# Names of the NVML answers that the admin calls and the faults use (nvmlReturn_t).
CODES = {
    "SUCCESS": 0,
    "UNINITIALIZED": 1,
    "INVALID_ARGUMENT": 2,
    "NOT_SUPPORTED": 3,
    "NO_PERMISSION": 4,
    "ALREADY_INITIALIZED": 5,
    "NOT_FOUND": 6,
    "INSUFFICIENT_SIZE": 7,
    "INSUFFICIENT_POWER": 8,
    "DRIVER_NOT_LOADED": 9,
    "TIMEOUT": 10,
    "IRQ_ISSUE": 11,
    "LIBRARY_NOT_FOUND": 12,
    "FUNCTION_NOT_FOUND": 13,
    "CORRUPTED_INFOROM": 14,
    "GPU_IS_LOST": 15,
    "RESET_REQUIRED": 16,
    "OPERATING_SYSTEM": 17,
    "LIB_RM_VERSION_MISMATCH": 18,
    "IN_USE": 19,
    "MEMORY": 20,
    "NO_DATA": 21,
    "VGPU_ECC_NOT_SUPPORTED": 22,
    "INSUFFICIENT_RESOURCES": 23,
    "FREQ_NOT_SUPPORTED": 24,
    "ARGUMENT_VERSION_MISMATCH": 25,
    "UNKNOWN": 999,
}


def code_of(text: str | int) -> int:
    """An NVML code from its name (with or without NVML_ERROR_) or number."""
    if isinstance(text, int):
        return text
    name = text.upper().removeprefix("NVML_ERROR_").removeprefix("NVML_")
    if name in CODES:
        return CODES[name]
    if text.isdecimal():
        return int(text)
    raise SimError(f"no NVML code {text!r}: there are {', '.join(CODES)}, or a number")


def name_of(code: int) -> str:
    """The name of an NVML code, for a message."""
    return next((name for name, number in CODES.items() if number == code), str(code))
