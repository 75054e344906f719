"""The two backends of the NVML port, opened on the same simulated machines."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from slurm_mig.gpu.nvml import session
from slurm_mig.gpu.nvml_port import Nvml
from slurm_mig.model import MigMode
from tests.fakes import FakeGpu, FakeNvml, FakeSlice
from tests.sim import library
from tests.sim.api import Sim
from tests.sim.layout import WantedGi, plan
from tests.sim.models import load


class Machine(Protocol):
    """A machine with GPUs whose NVML can be opened, and things that can happen to it."""

    def open(self) -> AbstractContextManager[Nvml]: ...
    def lose(self, gpu_index: int) -> None:
        """That GPU falls off the bus."""

    def deny(self) -> None:
        """From now on we are not root."""

    def clear(self, gpu_index: int) -> None:
        """Someone destroys all instances of a GPU. MIG stays on."""


MakeMachine = Callable[..., Machine]
Setenv = Callable[[str, str], None]


class RealMachine:
    """The adapter over nvidia-ml-py, over the simulated library."""

    def __init__(self, folder: Path, gpus: Sequence[str], gap: bool, setenv: Setenv) -> None:
        self.sim = Sim.new(folder, gpus, gap=gap, nodes=False)
        self._setenv = setenv

    @contextmanager
    def open(self) -> Iterator[Nvml]:
        # In this process LD_LIBRARY_PATH is too late: pynvml finds the library by its soname.
        library.load()
        self._setenv("MIGSIM_DIR", str(self.sim.dir))
        with session() as nvml:
            yield nvml

    def lose(self, gpu_index: int) -> None:
        self.sim.lose(gpu_index)

    def deny(self) -> None:
        self.sim.fault("nvmlDeviceGetGpuInstances", code="NO_PERMISSION", once=False)

    def clear(self, gpu_index: int) -> None:
        self.sim.partition(gpu_index, "mig")


class FakeMachine:
    """tests.fakes.FakeNvml, holding what the models say."""

    def __init__(self, gpus: Sequence[str], gap: bool) -> None:
        self.nvml = FakeNvml([_fake_gpu(gpu, gap) for gpu in gpus])

    @contextmanager
    def open(self) -> Iterator[Nvml]:
        yield self.nvml

    def lose(self, gpu_index: int) -> None:
        self.nvml.machine[gpu_index].lost = True

    def deny(self) -> None:
        self.nvml.root_user = False

    def clear(self, gpu_index: int) -> None:
        self.nvml.machine[gpu_index].slices = ()


def _fake_gpu(text: str, gap: bool) -> FakeGpu:
    key, _, layout = text.partition("=")
    model = load(key)
    fake = FakeGpu(name=model.name, memory_mib=model.memory_mib, near=frozenset({0}))
    if not model.mig:
        fake.slices = None
    elif layout:
        fake.slices = tuple(_fake_slice(n, gi) for n, gi in enumerate(plan(model, layout)))
        fake.mig_mode = MigMode(current=True, pending=True)
        fake.mig_gaps = frozenset({1} if gap else ())
    return fake


def _fake_slice(gi_id: int, gi: WantedGi) -> FakeSlice:
    profile = gi.profile
    return FakeSlice(
        profile=profile.name,
        start=gi.start,
        size=profile.size,
        gi_id=gi_id,
        compute=tuple((ci.profile.name, ci.profile.sm_count) for ci in gi.cis),
        memory_mib=profile.memory_mib,
        profile_id=profile.profile_id,
    )


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
