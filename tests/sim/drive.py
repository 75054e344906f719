"""Calls the whole library, rightly and wrongly, in one process: run it under a sanitizer.

MIGSIM_DIR names the machine (an H100 with MIG on and nothing made); MIGSIM_LIBRARY the library.
"""

import ctypes
import os
import sys
from ctypes import byref, c_char, c_uint, c_void_p
from itertools import product
from pathlib import Path
from typing import Any

import pynvml

# Their first argument is an address of the caller's: only NULL is nonsense that they can tell.
ADDRESSES = (
    "nvmlEventSet", "nvmlGpm", "nvmlSystem", "nvmlDeviceGetCount", "nvmlDeviceGetHandleBy",
)  # fmt: skip
WITH_EFFECT = ("nvmlInit", "nvmlShutdown", "InstanceDestroy")
ANSWERS_SECOND = ("Get", "Is", "Query")  # their second argument is where the answer goes


def make() -> list[Any]:
    """Handles of every kind, the last of them stale."""
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    place = pynvml.c_nvmlGpuInstancePlacement_t(0, 4)
    gi = pynvml.nvmlDeviceCreateGpuInstanceWithPlacement(gpu, 9, byref(place))
    ci = pynvml.nvmlGpuInstanceCreateComputeInstance(gi, 0)
    mig = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, 0)
    other = pynvml.nvmlDeviceCreateGpuInstance(gpu, 19)
    pynvml.nvmlGpuInstanceDestroy(other)
    return [gpu, mig, gi, ci, other]


def call_with_nonsense(library: ctypes.CDLL, handles: list[Any]) -> int:
    """Every function with every handle and no room for an answer; how many calls that was."""
    numbers = [ctypes.cast(handle, c_void_p) for handle in handles]
    strange = [c_void_p(None), c_void_p(1), c_void_p((1 << 64) - 1), c_void_p(0x5A << 56)]
    calls = 0
    for name in Path(__file__).with_name("symbols.txt").read_text().split():
        if name == "nvmlErrorString" or any(word in name for word in WITH_EFFECT):
            continue
        firsts = strange[:1] if name.startswith(ADDRESSES) else numbers + strange
        seconds = (0,) if any(word in name for word in ANSWERS_SECOND) else (0, 1, 19)
        for first, second in product(firsts, seconds):
            getattr(library, name)(first, c_void_p(second), None, None, None)
            calls += 1
    return calls


def call_rightly(handles: list[Any]) -> None:
    """A day in the life of a client."""
    gpu, mig, gi, ci, _ = handles
    for handle in (gpu, mig):
        pynvml.nvmlDeviceGetName(handle)
        pynvml.nvmlDeviceGetUUID(handle)
        pynvml.nvmlDeviceGetMemoryInfo(handle)
        pynvml.nvmlDeviceGetMemoryInfo(handle, pynvml.nvmlMemory_v2)
        pynvml.nvmlDeviceGetBAR1MemoryInfo(handle)
        pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
        pynvml.nvmlDeviceGetCpuAffinity(handle, 16)
        pynvml.nvmlDeviceGetFieldValues(handle, [83, 3, 4, 999])
    for number in range(18):
        for version in (1, 2):
            try:
                info = pynvml.nvmlDeviceGetGpuInstanceProfileInfo(gpu, number, version)
                pynvml.nvmlDeviceGetGpuInstanceProfileInfoById(gpu, info.id)
                pynvml.nvmlDeviceGetGpuInstanceRemainingCapacity(gpu, info.id)
            except pynvml.NVMLError_NotSupported:
                continue
    pynvml.nvmlGpuInstanceGetInfo(gi)
    pynvml.nvmlComputeInstanceGetInfo(ci)
    pynvml.nvmlDeviceGetAttributes(mig)
    pynvml.nvmlDeviceGetPciInfo(gpu)
    pynvml.nvmlDeviceGetTotalEnergyConsumption(gpu)
    pynvml.nvmlDeviceGetHandleByUUID(pynvml.nvmlDeviceGetUUID(mig))
    samples = [pynvml.nvmlGpmMigSampleGet(gpu, 1, pynvml.nvmlGpmSampleAlloc()) for _ in range(2)]
    get = pynvml.c_nvmlGpmMetricsGet_t(version=1, numMetrics=3)
    get.sample1, get.sample2 = samples
    pynvml.nvmlGpmMetricsGet(get)
    for sample in samples:
        pynvml.nvmlGpmSampleFree(sample)
    events = pynvml.nvmlEventSetCreate()
    pynvml.nvmlDeviceRegisterEvents(gpu, pynvml.nvmlEventMigConfigChange, events)
    pynvml.nvmlComputeInstanceDestroy(ci)
    pynvml.nvmlEventSetWait(events, 100)
    pynvml.nvmlEventSetFree(events)
    pynvml.nvmlGpuInstanceDestroy(gi)


def call_admin(library: ctypes.CDLL) -> None:
    """The other entrance, with a buffer that is too small and one that is not."""
    folder = os.environ["MIGSIM_DIR"].encode()
    made = c_uint()
    library.migsim_create_gi(folder, 0, 9, 0, byref(made))
    library.migsim_create_ci(folder, 0, made, 2, 0xFFFFFFFF, byref(made))
    for size in (1, 10, 500, 1 << 16):
        room = (c_char * size)()
        library.migsim_show(folder, room, size)
    library.migsim_ecc(folder, 0, 1, 1, 3)
    library.migsim_reboot(folder)


def main() -> int:
    """Everything once; prints how many calls were nonsense."""
    library = ctypes.CDLL(os.environ["MIGSIM_LIBRARY"], mode=ctypes.RTLD_GLOBAL)
    pynvml.nvmlInit()
    handles = make()
    print(call_with_nonsense(library, handles))
    call_rightly(handles)
    call_admin(library)
    pynvml.nvmlShutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
