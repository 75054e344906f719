"""nvidia-ml-py with its C out-parameters turned into lists: for the tests that judge with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import byref, c_uint
from typing import Any

import pynvml
import pytest

Handle = Any  # pynvml has no types

_MANY = 64


@contextmanager
def refused(code: int) -> Iterator[None]:
    """The calls inside end with this NVML error."""
    with pytest.raises(pynvml.NVMLError) as caught:
        yield
    assert caught.value.value == code, f"{caught.value}, not {pynvml.NVMLError(code)}"


def first_gpu() -> Handle:
    """The GPU at index 0."""
    return pynvml.nvmlDeviceGetHandleByIndex(0)


def possible_placements(gpu: Handle, profile_id: int) -> list[tuple[int, int]]:
    """Start and size of every placement of a GPU instance profile."""
    array, count = (pynvml.c_nvmlGpuInstancePlacement_t * _MANY)(), c_uint(_MANY)
    pynvml.nvmlDeviceGetGpuInstancePossiblePlacements(gpu, profile_id, array, byref(count))
    return [(place.start, place.size) for place in array[: count.value]]


def possible_ci_placements(gi: Handle, profile_id: int) -> list[tuple[int, int]]:
    """The same for a compute instance profile."""
    array, count = (pynvml.c_nvmlComputeInstancePlacement_t * _MANY)(), c_uint(_MANY)
    pynvml.nvmlGpuInstanceGetComputeInstancePossiblePlacements(gi, profile_id, array, byref(count))
    return [(place.start, place.size) for place in array[: count.value]]


def gpu_instances(gpu: Handle, profile_id: int) -> list[Handle]:
    """The GPU instances of one profile."""
    array, count = (pynvml.c_nvmlGpuInstance_t * _MANY)(), c_uint(_MANY)
    pynvml.nvmlDeviceGetGpuInstances(gpu, profile_id, array, byref(count))
    return list(array[: count.value])


def compute_instances(gi: Handle, profile_id: int) -> list[Handle]:
    """The compute instances of one profile."""
    array, count = (pynvml.c_nvmlComputeInstance_t * _MANY)(), c_uint(_MANY)
    pynvml.nvmlGpuInstanceGetComputeInstances(gi, profile_id, array, byref(count))
    return list(array[: count.value])


def create_at(gpu: Handle, profile_id: int, start: int, size: int) -> Handle:
    """A new GPU instance at a place."""
    place = pynvml.c_nvmlGpuInstancePlacement_t(start, size)
    return pynvml.nvmlDeviceCreateGpuInstanceWithPlacement(gpu, profile_id, byref(place))


def create_ci_at(gi: Handle, profile_id: int, start: int, size: int) -> Handle:
    """A new compute instance at a place."""
    place = pynvml.c_nvmlComputeInstancePlacement_t(start, size)
    return pynvml.nvmlGpuInstanceCreateComputeInstanceWithPlacement(gi, profile_id, byref(place))


def mig_handles(gpu: Handle) -> list[Handle]:
    """The MIG devices of a GPU by their indices, up to the first that is missing."""
    handles = []
    for index in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(gpu)):
        try:
            handles.append(pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, index))
        except pynvml.NVMLError_NotFound:
            break
    return handles
