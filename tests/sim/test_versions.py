"""Clients were built for different versions of NVML: each gets its own layout, no byte more."""

import ctypes
from collections.abc import Callable
from ctypes import byref, c_uint, c_ulonglong, c_void_p
from typing import Any

import pynvml
import pytest

from tests.sim import library
from tests.sim.api import Sim
from tests.sim.nvml_calls import compute_instances, gpu_instances

Open = Callable[..., Sim]
CANARY = b"\xa5"
MISMATCH = pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH


def written(size: int, name: str, *arguments: Any, version: int = 0) -> tuple[int, bytes]:
    """A call with `size` bytes for its answer, last: (nvmlReturn, them). Fails if it wrote more."""
    room = ctypes.create_string_buffer(CANARY * (size + 64), size + 64)
    if version:
        ctypes.memmove(room, version.to_bytes(4, "little"), 4)
    code = getattr(library.load(), name)(*arguments, room)
    assert room.raw[size:] == CANARY * 64
    return code, room.raw[:size]


def process_list(name: str, size: int, handle: Any) -> list[bytes]:
    count = c_uint(8)
    code, raw = written(size * 8, name, handle, byref(count))
    assert code == pynvml.NVML_SUCCESS
    assert raw[size * count.value :] == CANARY * size * (8 - count.value)
    return [raw[size * at : size * (at + 1)] for at in range(count.value)]


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("nvmlDeviceGetComputeRunningProcesses", 16),
        ("nvmlDeviceGetComputeRunningProcesses_v2", 24),
        ("nvmlDeviceGetComputeRunningProcesses_v3", 24),
    ],
)
def test_process_lists(name: str, size: int, open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=2g.20gb")
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    assert process_list(name, size, gpu) == []
    with sim.running() as process:
        (entry,) = process_list(name, size, gpu)
        assert int.from_bytes(entry[:4], "little") == process.pid
        none = c_uint(0)
        function = getattr(library.load(), name)
        assert function(gpu, byref(none), None) == pynvml.NVML_ERROR_INSUFFICIENT_SIZE
        assert none.value == 1


@pytest.mark.parametrize(
    ("name", "size", "version"),
    [
        ("nvmlDeviceGetPciInfo", 52, 0),
        ("nvmlDeviceGetPciInfo_v2", 52, 0),
        ("nvmlDeviceGetPciInfo_v3", 68, 0),
        ("nvmlDeviceGetPciInfoExt", 64, 0x1000040),
        ("nvmlDeviceGetMemoryInfo", 24, 0),
        ("nvmlDeviceGetMemoryInfo_v2", 40, 0x2000028),
        ("nvmlGpmQueryDeviceSupport", 8, 1),
    ],
)
def test_answers_about_a_gpu(name: str, size: int, version: int, open_nvml: Open) -> None:
    open_nvml("h100-80gb")
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    code, _ = written(size, name, gpu, version=version)
    assert code == pynvml.NVML_SUCCESS
    if version:
        assert written(size, name, gpu, version=version + 1)[0] == MISMATCH


def test_temperature(open_nvml: Open) -> None:
    open_nvml("h100-80gb")
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    assert 0 < pynvml.nvmlDeviceGetTemperatureV(gpu, 0) < 100
    assert written(12, "nvmlDeviceGetTemperatureV", gpu, version=1)[0] == MISMATCH


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("nvmlDeviceGetGpuInstanceProfileInfoV", 1),
        ("nvmlDeviceGetGpuInstanceProfileInfoByIdV", 14),
    ],
)
def test_gpu_instance_profiles(name: str, argument: int, open_nvml: Open) -> None:
    open_nvml("h100-80gb")
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    # id, [isP2pSupported in v2], slices, instances, SM
    for version, wanted in ((2, [14, 0, 2, 3, 32]), (3, [14, 2, 3, 32])):
        code, raw = written(152, name, gpu, argument, version=version << 24 | 152)
        assert code == pynvml.NVML_SUCCESS
        numbers = [int.from_bytes(raw[at : at + 4], "little") for at in range(4, 24, 4)]
        assert numbers[: len(wanted)] == wanted
        assert b"MIG 2g.20gb\0" in raw
    for wrong in (0, 1 << 24 | 152, 2 << 24 | 144, 4 << 24 | 152):
        assert written(152, name, gpu, argument, version=wrong)[0] == MISMATCH


def test_compute_instance_profiles(open_nvml: Open) -> None:
    open_nvml("h100-80gb=2g.20gb")
    (gi,) = gpu_instances(pynvml.nvmlDeviceGetHandleByIndex(0), 14)
    name = "nvmlGpuInstanceGetComputeInstanceProfileInfoV"
    for version, size in ((2, 136), (3, 140)):
        code, raw = written(size, name, gi, 0, 0, version=version << 24 | size)
        assert code == pynvml.NVML_SUCCESS
        assert b"MIG 1c.2g.20gb\0" in raw
    assert written(140, name, gi, 0, 0, version=2 << 24 | 140)[0] == MISMATCH
    assert written(36, name[:-1], gi, 0, 0)[0] == pynvml.NVML_SUCCESS
    assert written(36, name[:-1], gi, 2, 0)[0] == pynvml.NVML_ERROR_NOT_SUPPORTED
    assert written(36, name[:-1], gi, 9, 0)[0] == pynvml.NVML_ERROR_INVALID_ARGUMENT
    assert written(36, name[:-1], gi, 0, 1)[0] == pynvml.NVML_ERROR_INVALID_ARGUMENT


def test_compute_instances_of_old_clients_have_no_placement(open_nvml: Open) -> None:
    open_nvml("h100-80gb=2g.20gb")
    (gi,) = gpu_instances(pynvml.nvmlDeviceGetHandleByIndex(0), 14)
    (ci,) = compute_instances(gi, 1)
    assert written(24, "nvmlComputeInstanceGetInfo", ci)[0] == pynvml.NVML_SUCCESS
    assert written(32, "nvmlComputeInstanceGetInfo_v2", ci)[0] == pynvml.NVML_SUCCESS


def test_events_of_old_clients_have_no_instance(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=2g.20gb")
    gpu, events = pynvml.nvmlDeviceGetHandleByIndex(0), pynvml.nvmlEventSetCreate()
    pynvml.nvmlDeviceRegisterEvents(gpu, pynvml.nvmlEventTypeXidCriticalError, events)
    room = (c_ulonglong * 5)(*([0xA5] * 5))
    sim.xid(0, 63)
    function = library.load().nvmlEventSetWait
    assert function(events, room, c_uint(100)) == pynvml.NVML_SUCCESS
    assert list(room[1:]) == [pynvml.nvmlEventTypeXidCriticalError, 63, 0xA5, 0xA5]
    pynvml.nvmlEventSetFree(events)


def test_buffers_too_small_for_a_text(open_nvml: Open) -> None:
    open_nvml("h100-80gb")
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    name = "NVIDIA H100 80GB HBM3"
    for size, wanted in ((len(name) + 1, 0), (len(name), pynvml.NVML_ERROR_INSUFFICIENT_SIZE)):
        room = ctypes.create_string_buffer(96)
        assert library.load().nvmlDeviceGetName(gpu, room, c_uint(size)) == wanted
        assert room.value.decode() == (name if wanted == 0 else "")


def test_profile_numbers_end_as_nvml_says(open_nvml: Open) -> None:
    """Go on at NOT_SUPPORTED, stop at INVALID_ARGUMENT."""
    open_nvml("a30-24gb")
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    answers = [
        written(48, "nvmlDeviceGetGpuInstanceProfileInfo", gpu, c_uint(number))[0]
        for number in range(20)
    ]
    here, hole, end = 0, pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_INVALID_ARGUMENT
    assert answers[18:] == [end, end]
    assert {at for at, code in enumerate(answers) if code == here} == {0, 1, 3, 7, 8}
    assert answers[2] == hole


def test_null_is_an_argument_error(open_nvml: Open) -> None:
    open_nvml("h100-80gb")
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    for name in ("nvmlDeviceGetMigMode", "nvmlDeviceGetMemoryInfo", "nvmlDeviceGetPciInfo_v3"):
        code = getattr(library.load(), name)(gpu, None, None)
        assert code == pynvml.NVML_ERROR_INVALID_ARGUMENT
        assert getattr(library.load(), name)(c_void_p(0), None, None) == code
