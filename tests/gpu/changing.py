"""A simulated node that is repartitioned again and again, each time from the same beginning."""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pynvml
import pytest

from slurm_mig.errors import SlurmMigError
from slurm_mig.gpu.change import journal
from slurm_mig.gpu.change.bounded import here
from slurm_mig.gpu.change.partition import apply
from slurm_mig.gpu.change.recover import recover
from slurm_mig.gpu.change.transaction import Ports, Result
from slurm_mig.gpu.nvml.partition_adapter import partition_session
from slurm_mig.gpu.partitioning import LiveGpu, WantedGi, WantedGpu
from slurm_mig.gpu.planning.plan import GpuPlan, plan
from slurm_mig.gpu.present.survey import survey
from tests.sim import library
from tests.sim.api import Sim
from tests.sim.errors import SimError

BOOT_ID = "proc/sys/kernel/random/boot_id"
Picture = tuple[Any, ...]


def wish(text: str) -> WantedGpu:
    """What is wanted: "off", "on", or "3g.40gb@4/2x1g.10gb/1g.20gb:none/2g.20gb:1c.2g.20gb"."""
    if text in ("off", "on"):
        return WantedGpu(text == "on")
    return WantedGpu(True, tuple(gi for part in text.split("/") for gi in _wishes(part)))


def _wishes(part: str) -> Iterator[WantedGi]:
    gi, *cis = part.split(":")
    count, name = re.fullmatch(r"(?:(\d+)x)?(.+)", gi).groups()  # type: ignore[union-attr]
    profile, _, start = name.partition("@")
    names = None if not cis else tuple(ci for ci in cis if ci != "none")
    for _ in range(int(count or 1)):
        yield WantedGi(profile, int(start) if start else None, names)


class Scene:
    """A machine, what is wanted of it, and how it was at the beginning.

    `wanted`: gpu_index -> see `wish`.
    """

    def __init__(self, sim: Sim, wanted: Mapping[int, str]) -> None:
        self.sim = sim
        self.root = sim.root
        self.wanted = {index: wish(text) for index, text in wanted.items()}
        self.resets: list[str] = []
        boot = self.root / BOOT_ID
        boot.parent.mkdir(parents=True, exist_ok=True)
        boot.write_text("boot-0\n")
        self.remember()

    def remember(self) -> None:
        """This is the beginning."""
        self._state = (self.sim.dir / "state").read_bytes()
        self.live = self.look()
        self.former = self.picture()
        self.busy = self.processes()

    def again(self) -> "Scene":
        """Back to the beginning: GPUs and files."""
        end_sessions(self.sim)
        with (self.sim.dir / "state").open("r+b") as state:
            state.write(self._state)
        for folder in ("var", "run"):
            shutil.rmtree(self.root / folder, ignore_errors=True)
        (self.root / BOOT_ID).write_text("boot-0\n")
        self.resets.clear()
        return self

    def reboot(self, number: int = 1) -> None:
        """The machine starts anew."""
        self.sim.reboot()
        (self.root / BOOT_ID).write_text(f"boot-{number}\n")

    def look(self) -> tuple[LiveGpu, ...]:
        with partition_session() as nvml:
            return survey(nvml)

    def plans(self) -> list[GpuPlan]:
        """The way to what is wanted, from the beginning."""
        return self.plans_of(self.live)

    def plans_of(self, live: Sequence[LiveGpu]) -> list[GpuPlan]:
        """The way to what is wanted, from there."""
        return [plan(live[index], want) for index, want in self.wanted.items()]

    def ports(self, **more: Any) -> Ports:
        return Ports(root=self.root, **{"reset": self.reset, "run": here, **more})

    def reset(self, pci_bus_id: str) -> None:
        """The site's reset command."""
        self.resets.append(pci_bus_id)
        (index,) = (n for n, gpu in enumerate(self.live) if gpu.info.pci_bus_id == pci_bus_id)
        try:
            self.sim.reset(index)
        except SimError as why:
            raise SlurmMigError(str(why)) from None

    def apply(self, plans: Sequence[GpuPlan] | None = None, **more: Any) -> Result:
        by_uuid = {self.live[index].info.uuid: want for index, want in self.wanted.items()}
        return apply(self.plans() if plans is None else plans, self.ports(**more), by_uuid)

    def recover(self, *, undo: bool = False, **more: Any) -> Result:
        return recover(self.ports(**more), undo=undo)

    def picture(self) -> Picture:
        """What is on the GPUs, as the simulator tells it: ids too, so that all is told apart."""
        return tuple(_picture(gpu) for gpu in self.sim.show()["gpus"])

    def processes(self) -> list[tuple[int, ...]]:
        """Who is on what: pid, gpu_index, gi_id, ci_id."""
        keys = ("pid", "gpu_index", "gi_id", "ci_id")
        return [tuple(one[key] for key in keys) for one in self.sim.show()["processes"]]

    def uuid_at(self, gpu_index: int, start: int) -> str:
        """The MIG UUID of the first slice of the GPU instance there."""
        gis = self.sim.show()["gpus"][gpu_index]["gpu_instances"]
        (gi,) = (gi for gi in gis if gi["placement"]["start"] == start)
        return str(gi["compute_instances"][0]["uuid"])

    def journal(self) -> journal.Journal | None:
        return journal.read(self.root)

    def leftovers(self) -> list[str]:
        """Names in /var/lib/slurm-mig but for the two files that have a meaning."""
        folder = self.root / "var/lib/slurm-mig"
        known = (journal.NAME, "committed.json")
        return [path.name for path in folder.glob("*") if path.name not in known]


def _picture(gpu: dict[str, Any]) -> Picture:
    instances = tuple(
        (
            gi["gi_id"],
            gi["profile"],
            gi["placement"]["start"],
            tuple(
                sorted(
                    (ci["placement"]["start"], ci["profile"], ci["sm_count"])
                    for ci in gi["compute_instances"]
                )
            ),
        )
        for gi in gpu["gpu_instances"]
    )
    mode = gpu["mig_mode"]
    return gpu["lost"], mode["current"], mode["pending"], instances


MakeScene = Callable[..., Scene]


def scene_of(
    folder: Path, setenv: Callable[[str, str], None], wanted: Mapping[int, str], gpus: Sequence[str]
) -> Scene:
    """A scene on a fresh machine in `folder`, which is NVML's in this process from now on."""
    sim = Sim.new(folder / "sim", gpus)
    library.load()
    setenv("MIGSIM_DIR", str(sim.dir))
    return Scene(sim, wanted)


@pytest.fixture
def make_scene(
    sim_library: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MakeScene]:
    """make_scene({0: "3g.40gb"}, "h100-80gb=7x1g.10gb", …): see Scene."""
    made: list[Scene] = []

    def make(wanted: Mapping[int, str], *gpus: str) -> Scene:
        made.append(scene_of(memory, monkeypatch.setenv, wanted, gpus))
        return made[-1]

    yield make
    for scene in made:
        end_sessions(scene.sim)


def end_sessions(sim: Sim) -> None:
    """End the NVML sessions of this process that a failing nvmlShutdown left open."""
    sim.clear_faults()
    with suppress(pynvml.NVMLError):
        while True:
            pynvml.nvmlShutdown()


def as_root_file(path: Path, text: str) -> None:
    """A file where root's state lies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
