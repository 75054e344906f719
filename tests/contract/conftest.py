"""The two backends of the NVML port, opened on the same simulated machines."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from slurm_mig.gpu.nvml.ci_choice import CiProfile
from slurm_mig.gpu.nvml.partition_adapter import partition_session
from slurm_mig.gpu.nvml.partition_port import PartitionNvml, PciIds
from slurm_mig.gpu.partitioning import GiProfile
from slurm_mig.model import MigMode, Placement, ProfileId
from tests.fake_partition import FakePartitionGpu, FakePartitionNvml
from tests.fakes import FakeSlice
from tests.sim import library
from tests.sim.api import Sim
from tests.sim.layout import WantedGi, plan
from tests.sim.models import GpuModel, load


class Machine(Protocol):
    """A machine with GPUs whose NVML can be opened, and things that can happen to it."""

    def open(self) -> AbstractContextManager[PartitionNvml]: ...
    def lose(self, gpu_index: int) -> None:
        """That GPU falls off the bus."""

    def deny(self) -> None:
        """From now on we are not root."""

    def clear(self, gpu_index: int) -> None:
        """Someone destroys all instances of a GPU. MIG stays on."""

    def hold(self, gpu_index: int, gi_id: int | None = None) -> None:
        """A process comes that holds a GPU instance, or the GPU."""

    def reset(self, gpu_index: int) -> None:
        """The GPU is reset: a pending MIG mode comes into force."""


MakeMachine = Callable[..., Machine]
# What NVML answers to root only.
ROOT_ONLY = (
    "nvmlDeviceGetGpuInstances",
    "nvmlDeviceGetGpuInstancePossiblePlacements_v2",
    "nvmlDeviceSetMigMode",
    "nvmlDeviceCreateGpuInstanceWithPlacement",
    "nvmlDeviceGetGpuInstanceById",
)
Setenv = Callable[[str, str], None]


class RealMachine:
    """The adapter over nvidia-ml-py, over the simulated library."""

    def __init__(self, folder: Path, gpus: Sequence[str], gap: bool, setenv: Setenv) -> None:
        self.sim = Sim.new(folder, gpus, gap=gap, nodes=False)
        self._setenv = setenv

    @contextmanager
    def open(self) -> Iterator[PartitionNvml]:
        # In this process LD_LIBRARY_PATH is too late: pynvml finds the library by its soname.
        library.load()
        self._setenv("MIGSIM_DIR", str(self.sim.dir))
        with partition_session() as nvml:
            yield nvml

    def lose(self, gpu_index: int) -> None:
        self.sim.lose(gpu_index)

    def deny(self) -> None:
        for call in ROOT_ONLY:
            self.sim.fault(call, code="NO_PERMISSION", once=False)

    def clear(self, gpu_index: int) -> None:
        self.sim.partition(gpu_index, "mig")

    def hold(self, gpu_index: int, gi_id: int | None = None) -> None:
        whole = (gpu_index, library.NONE, library.NONE)
        place, kind = (whole, 2) if gi_id is None else ((gpu_index, gi_id, 0), 0)
        assert library.add_process(self.sim.dir, os.getpid(), kind, place, ()) == 0

    def reset(self, gpu_index: int) -> None:
        self.sim.reset(gpu_index)


class FakeMachine:
    """tests.fakes.FakeNvml, holding what the models say."""

    def __init__(self, gpus: Sequence[str], gap: bool) -> None:
        self._gpus = [fake_gpu(gpu, gap) for gpu in gpus]
        self.nvml = FakePartitionNvml(self._gpus)

    @contextmanager
    def open(self) -> Iterator[PartitionNvml]:
        yield self.nvml

    def lose(self, gpu_index: int) -> None:
        self.nvml.machine[gpu_index].lost = True

    def deny(self) -> None:
        self.nvml.root_user = False

    def clear(self, gpu_index: int) -> None:
        self.nvml.machine[gpu_index].slices = ()

    def hold(self, gpu_index: int, gi_id: int | None = None) -> None:
        gpu = self._gpus[gpu_index]
        if gi_id is None:
            gpu.clients += 1
        else:
            gpu.busy.add(gi_id)

    def reset(self, gpu_index: int) -> None:
        gpu = self._gpus[gpu_index]
        gpu.slices, gpu.mig_mode = (), MigMode(gpu.mode.pending, gpu.mode.pending)


def fake_gpu(text: str, gap: bool = False) -> FakePartitionGpu:
    """What stands for a GPU of that model, `MODEL` or `MODEL=LAYOUT`."""
    key, _, layout = text.partition("=")
    model = load(key)
    fake = FakePartitionGpu(name=model.name, memory_mib=model.memory_mib, near=frozenset({0}))
    fake.pci = PciIds(model.pci_device_id, model.pci_subsystem_id)
    fake.needs_reset = model.reset_for_mode
    fake.profiles = tuple(offers(model))
    fake.ci_profiles = {
        gi.profile_id: tuple(
            CiProfile(ci.name, ci.profile_id, ci.slices, ci.sm_count) for ci in gi.ci_profiles
        )
        for gi in model.profiles
    }
    if not model.mig:
        fake.slices = None
    elif layout:
        fake.slices = tuple(fake_slice(n, gi) for n, gi in enumerate(plan(model, layout)))
        fake.mig_mode = MigMode(current=True, pending=True)
        fake.mig_gaps = frozenset({1} if gap else ())
    return fake


def fake_slice(gi_id: int, gi: WantedGi) -> FakeSlice:
    profile = gi.profile
    return FakeSlice(
        profile=profile.name,
        start=gi.start,
        size=profile.size,
        gi_id=gi_id,
        compute=tuple((ci.profile.name, ci.profile.sm_count) for ci in gi.cis),
        memory_mib=profile.memory_mib,
        profile_id=profile.profile_id,
        ci_starts=tuple(ci.start for ci in gi.cis),
        ci_profile_ids=tuple(ci.profile.profile_id for ci in gi.cis),
    )


def offers(model: GpuModel) -> Iterator[GiProfile]:
    """What a GPU of that model offers, by profile_id."""
    for gi in sorted(model.profiles, key=lambda gi: gi.profile_id):
        yield GiProfile(
            gi.name, ProfileId(gi.profile_id), gi.slices, gi.memory_mib, gi.sm_count, gi.max_count,
            tuple(Placement(start, gi.size) for start in gi.starts),
        )  # fmt: skip


@pytest.fixture(params=["fake", "simulated"])
def make(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> MakeMachine:
    """make("h100-80gb=3g.40gb", …, gap=False): a machine behind either backend."""

    def machine(*gpus: str, gap: bool = False) -> Machine:
        if request.param == "fake":
            return FakeMachine(gpus, gap)
        request.getfixturevalue("sim_library")
        return RealMachine(tmp_path / "sim", gpus, gap, monkeypatch.setenv)

    return machine
