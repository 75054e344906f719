"""nvidia-ml-py judges the simulated library: processes, memory, GPM, energy, errors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pynvml
import pytest

from tests.sim.api import Sim
from tests.sim.models import load
from tests.sim.nvml_calls import (
    Handle,
    compute_instances,
    first_gpu,
    gpu_instances,
    mig_handles,
    refused,
)
from tests.sim.truth import slices

Open = Callable[..., Sim]

MIB = 1 << 20
NO_INSTANCE = 0xFFFFFFFF


def listed(handle: Handle) -> list[tuple[int, int, int, int]]:
    """pid, memory, GI and CI of the compute processes on a GPU or a MIG device."""
    return [
        (info.pid, info.usedGpuMemory, info.gpuInstanceId, info.computeInstanceId)
        for info in pynvml.nvmlDeviceGetComputeRunningProcesses_v3(handle)
    ]


def test_processes_say_which_slice_they_are_on(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=3g.40gb@4:2c:1c/1g.10gb@0", "l40s")
    place = {mig.profile: (mig.gi_id, mig.ci_id) for mig in slices(sim)}
    by_profile = {mig.profile: mig for mig in slices(sim)}
    with (
        sim.running(by_profile["1c.3g.40gb"].uuid, memory="2GiB") as one,
        sim.running(by_profile["1g.10gb"].uuid, memory="512MiB") as other,
        sim.running("1", memory="1GiB") as whole,
    ):
        row = {
            "1c.3g.40gb": (one.pid, 2048 * MIB, *place["1c.3g.40gb"]),
            "1g.10gb": (other.pid, 512 * MIB, *place["1g.10gb"]),
        }
        handles = {pynvml.nvmlDeviceGetName(mig): mig for mig in mig_handles(first_gpu())}
        for profile in by_profile:
            expected = [row[profile]] if profile in row else []
            assert listed(handles[f"NVIDIA H100 80GB HBM3 MIG {profile}"]) == expected
        assert sorted(listed(first_gpu())) == sorted(row.values())
        l40s = pynvml.nvmlDeviceGetHandleByIndex(1)
        assert listed(l40s) == [(whole.pid, 1024 * MIB, NO_INSTANCE, NO_INSTANCE)]
    assert listed(first_gpu()) == []


def test_memory_belongs_to_the_gpu_instance(open_nvml: Open) -> None:
    """Two compute instances of one GPU instance tell the same number."""
    sim = open_nvml("h100-80gb=3g.40gb@4:2c:1c/3g.40gb@0")
    handles = mig_handles(first_gpu())
    idle = [pynvml.nvmlDeviceGetMemoryInfo(handle).used for handle in handles]
    by_gi: dict[int, list[int]] = {}
    with sim.running(slices(sim)[1].uuid, memory="2GiB"):
        for mig, handle, before in zip(slices(sim), handles, idle, strict=True):
            more = pynvml.nvmlDeviceGetMemoryInfo(handle).used - before
            by_gi.setdefault(mig.gi_id, []).append(more // MIB)
    assert sorted(by_gi.values()) == [[0], [2048, 2048]]


def test_what_a_process_holds_cannot_be_destroyed(open_nvml: Open) -> None:
    sim = open_nvml("a100-40gb=3g.20gb@4/3g.20gb@0")
    profile = load("a100-40gb").profile("3g.20gb")
    held, free = slices(sim)
    whole_ci = profile.ci_profiles[-1].profile_id
    gis = {
        pynvml.nvmlGpuInstanceGetInfo(gi).id: gi
        for gi in gpu_instances(first_gpu(), profile.profile_id)
    }
    (ci,) = compute_instances(gis[held.gi_id], whole_ci)
    with sim.running(held.uuid):
        with refused(pynvml.NVML_ERROR_IN_USE):
            pynvml.nvmlComputeInstanceDestroy(ci)
        (neighbour,) = compute_instances(gis[free.gi_id], whole_ci)
        pynvml.nvmlComputeInstanceDestroy(neighbour)
        pynvml.nvmlGpuInstanceDestroy(gis[free.gi_id])
        # Beside a busy instance another may be made: only the first needs a free GPU.
        pynvml.nvmlDeviceCreateGpuInstance(first_gpu(), profile.profile_id)
    pynvml.nvmlComputeInstanceDestroy(ci)


@contextmanager
def sample(take: Callable[..., object], *arguments: object) -> Iterator[Handle]:
    """A GPM sample, taken by a call whose last argument it is, and freed in the end."""
    new = pynvml.nvmlGpmSampleAlloc()
    try:
        take(*arguments, new)
        yield new
    finally:
        pynvml.nvmlGpmSampleFree(new)


def metrics(first: Handle, second: Handle, *ids: int) -> list[float]:
    """What happened between two samples."""
    question = pynvml.c_nvmlGpmMetricsGet_t()
    question.version = pynvml.NVML_GPM_METRICS_GET_VERSION
    question.numMetrics = len(ids)
    question.sample1, question.sample2 = first, second
    for position, metric_id in enumerate(ids):
        question.metrics[position].metricId = metric_id
    pynvml.nvmlGpmMetricsGet(question)
    assert all(metric.nvmlReturn == 0 for metric in question.metrics[: len(ids)])
    return [metric.value for metric in question.metrics[: len(ids)]]


@pytest.mark.parametrize("key", ["h100-80gb", "b200-180gb", "rtx-pro-6000-96gb"])
def test_gpm_tells_the_activity_of_a_gpu_instance(key: str, open_nvml: Open) -> None:
    small = load(key).profiles[0]
    sim = open_nvml(f"{key}=2x{small.name}")
    busy, idle = slices(sim)
    sim.freeze()
    take = pynvml.nvmlGpmMigSampleGet
    with (
        sim.running(busy.uuid, activity=0.25),
        sample(take, first_gpu(), busy.gi_id) as busy_before,
        sample(take, first_gpu(), idle.gi_id) as idle_before,
    ):
        sim.advance(2)
        with (
            sample(take, first_gpu(), busy.gi_id) as busy_after,
            sample(take, first_gpu(), idle.gi_id) as idle_after,
        ):
            sm_util = pynvml.NVML_GPM_METRIC_SM_UTIL
            assert metrics(busy_before, busy_after, sm_util) == [pytest.approx(25)]
            assert metrics(idle_before, idle_after, sm_util) == [0]


@pytest.mark.parametrize("key", ["a100-40gb", "a30-24gb"])
def test_gpm_is_not_for_ampere(key: str, open_nvml: Open) -> None:
    sim = open_nvml(f"{key}={load(key).profiles[0].name}")
    (mig,) = slices(sim)
    with (
        refused(pynvml.NVML_ERROR_NOT_SUPPORTED),
        sample(pynvml.nvmlGpmMigSampleGet, first_gpu(), mig.gi_id),
    ):
        pass


@pytest.mark.parametrize("key", ["a100-40gb", "h100-80gb"])
def test_power_and_energy_are_the_whole_gpus(key: str, open_nvml: Open) -> None:
    model = load(key)
    sim = open_nvml(f"{key}={model.profiles[-1].name}")
    (mig,) = mig_handles(first_gpu())
    for question in (pynvml.nvmlDeviceGetPowerUsage, pynvml.nvmlDeviceGetTotalEnergyConsumption):
        with refused(pynvml.NVML_ERROR_NOT_SUPPORTED):
            question(mig)
    sim.freeze()
    assert pynvml.nvmlDeviceGetPowerUsage(first_gpu()) == model.power_idle_w * 1000
    before = pynvml.nvmlDeviceGetTotalEnergyConsumption(first_gpu())
    sim.advance(10)
    used = pynvml.nvmlDeviceGetTotalEnergyConsumption(first_gpu()) - before
    assert used == pytest.approx(model.power_idle_w * 10_000, abs=2)


@pytest.mark.parametrize("key", ["a100-40gb", "h100-80gb"])
def test_utilisation_is_told_only_without_mig(key: str, open_nvml: Open) -> None:
    open_nvml(f"{key}={load(key).profiles[0].name}", key)
    for handle in (first_gpu(), *mig_handles(first_gpu())):
        with refused(pynvml.NVML_ERROR_NOT_SUPPORTED):
            pynvml.nvmlDeviceGetUtilizationRates(handle)
    undivided = pynvml.nvmlDeviceGetHandleByIndex(1)
    assert pynvml.nvmlDeviceGetUtilizationRates(undivided).gpu == 0


def test_an_xid_names_its_instance(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=2x1g.10gb")
    mig = slices(sim)[1]
    events = pynvml.nvmlEventSetCreate()
    pynvml.nvmlDeviceRegisterEvents(first_gpu(), pynvml.nvmlEventTypeXidCriticalError, events)
    with refused(pynvml.NVML_ERROR_TIMEOUT):
        pynvml.nvmlEventSetWait_v2(events, 1)
    sim.xid(0, 94, mig.gi_id, mig.ci_id)
    event = pynvml.nvmlEventSetWait_v2(events, 1000)
    assert (event.eventType, event.eventData) == (pynvml.nvmlEventTypeXidCriticalError, 94)
    assert (event.gpuInstanceId, event.computeInstanceId) == (mig.gi_id, mig.ci_id)
    pynvml.nvmlEventSetFree(events)


def test_memory_errors_are_counted(open_nvml: Open) -> None:
    sim = open_nvml("a100-40gb")
    sim.ecc(0, 3)
    question = (pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, pynvml.NVML_VOLATILE_ECC)
    assert pynvml.nvmlDeviceGetTotalEccErrors(first_gpu(), *question) == 3
