"""What root may and others may not, and MIG mode's two answers."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import byref, c_int, c_uint
from typing import Any

import pynvml
import pytest

from tests.sim import library
from tests.sim.api import Sim
from tests.sim.nvml_calls import (
    compute_instances,
    gpu_instances,
    possible_ci_placements,
    possible_placements,
    refused,
)

Open = Callable[..., Sim]
NOBODY = 65534


@contextmanager
def as_a_user() -> Iterator[None]:
    """This process as somebody who is not root."""
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def set_mode(gpu: Any, mode: int) -> tuple[int, int]:
    """nvmlDeviceSetMigMode: (nvmlReturn, activationStatus); pynvml tells only the second."""
    activation = c_int(-1)
    code = library.load().nvmlDeviceSetMigMode(gpu, c_uint(mode), byref(activation))
    return code, activation.value


def test_changing_and_looking_inside_is_for_root(open_nvml: Open) -> None:
    open_nvml("h100-80gb=2g.20gb")
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    (gi,) = gpu_instances(gpu, 14)
    (ci,) = compute_instances(gi, 1)
    calls: list[Callable[[], Any]] = [
        lambda: pynvml.nvmlDeviceCreateGpuInstance(gpu, 19),
        lambda: possible_placements(gpu, 19),
        lambda: gpu_instances(gpu, 14),
        lambda: pynvml.nvmlDeviceGetGpuInstanceById(gpu, 3),
        lambda: pynvml.nvmlDeviceGetGpuInstanceRemainingCapacity(gpu, 19),
        lambda: pynvml.nvmlDeviceSetMigMode(gpu, 0),
        lambda: pynvml.nvmlDeviceSetPersistenceMode(gpu, 0),
        lambda: pynvml.nvmlDeviceGetMemoryInfo(gpu),
        lambda: possible_ci_placements(gi, 0),
        lambda: compute_instances(gi, 1),
        lambda: pynvml.nvmlGpuInstanceGetComputeInstanceById(gi, 0),
        lambda: pynvml.nvmlGpuInstanceCreateComputeInstance(gi, 0),
        lambda: pynvml.nvmlComputeInstanceDestroy(ci),
        lambda: pynvml.nvmlGpuInstanceDestroy(gi),
    ]
    with as_a_user():
        for call in calls:
            with refused(pynvml.NVML_ERROR_NO_PERMISSION):
                call()


def test_everybody_may_look_at_his_slice(open_nvml: Open) -> None:
    open_nvml("h100-80gb=2g.20gb")
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    with as_a_user():
        mig = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, 0)
        assert pynvml.nvmlDeviceGetMigMode(gpu) == [1, 1]
        assert pynvml.nvmlDeviceGetName(mig).endswith(" MIG 2g.20gb")
        assert pynvml.nvmlDeviceGetMemoryInfo(mig).total == 20096 << 20
        assert pynvml.nvmlDeviceGetGpuInstanceProfileInfo(gpu, 1).id == 14


@pytest.mark.parametrize(
    ("key", "wanted", "current"),
    [("h100-80gb", pynvml.NVML_SUCCESS, 1), ("a100-40gb", pynvml.NVML_ERROR_RESET_REQUIRED, 0)],
)
def test_the_call_and_the_change_answer_apart(
    key: str, wanted: int, current: int, open_nvml: Open
) -> None:
    open_nvml(key)
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    assert set_mode(gpu, 1) == (pynvml.NVML_SUCCESS, wanted)
    assert pynvml.nvmlDeviceGetMigMode(gpu) == [current, 1]
    assert set_mode(gpu, 0) == (pynvml.NVML_SUCCESS, pynvml.NVML_SUCCESS)
    assert pynvml.nvmlDeviceGetMigMode(gpu) == [0, 0]


@pytest.mark.parametrize("key", ["h100-80gb", "a100-40gb"])
def test_a_client_keeps_the_mode_pending(key: str, open_nvml: Open) -> None:
    sim = open_nvml(key)
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    with sim.running():
        assert set_mode(gpu, 1) == (pynvml.NVML_SUCCESS, pynvml.NVML_ERROR_IN_USE)
        assert pynvml.nvmlDeviceGetMigMode(gpu) == [0, 1]
        with pytest.raises(Exception, match="IN_USE"):
            sim.reset(0)


def test_instances_keep_the_mode_on(open_nvml: Open) -> None:
    open_nvml("h100-80gb=2g.20gb")
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    assert set_mode(gpu, 0) == (pynvml.NVML_SUCCESS, pynvml.NVML_ERROR_IN_USE)
    assert pynvml.nvmlDeviceGetMigMode(gpu) == [1, 0]


def test_wrong_arguments_of_set_mode(open_nvml: Open) -> None:
    open_nvml("h100-80gb", "l40s")
    first, second = (pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(2))
    assert set_mode(first, 2)[0] == pynvml.NVML_ERROR_INVALID_ARGUMENT
    assert set_mode(second, 1)[0] == pynvml.NVML_ERROR_NOT_SUPPORTED


def test_old_drivers_hide_profiles_while_mig_is_off(open_nvml: Open) -> None:
    open_nvml("h100-80gb", driver="535.129.03")
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    with refused(pynvml.NVML_ERROR_NOT_SUPPORTED):
        pynvml.nvmlDeviceGetGpuInstanceProfileInfo(gpu, 0)
    pynvml.nvmlDeviceSetMigMode(gpu, 1)
    assert pynvml.nvmlDeviceGetGpuInstanceProfileInfo(gpu, 0).id == 19
