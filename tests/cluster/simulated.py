"""The simulated machines of a cluster: what GPUs they have, and the library that says so."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.cluster.node import ClusterError
from tests.cluster.slurmds import Machine
from tests.sim import models
from tests.sim.api import Sim

MakeMachine = Callable[[Path, Sequence[str]], Machine]
LIBRARY = "libnvidia-ml.so"


def simulate(folder: Path, gpus: Sequence[str]) -> Machine:
    """A machine of the simulator, its state in `folder`."""
    return Sim.new(folder, [ready_to_use(gpu) for gpu in gpus])


def parse_nodes(nodes: Mapping[str, Sequence[str]] | Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Names and their GPUs, from the words of a command line: `n1:h100-80gb,h100-80gb`."""
    if isinstance(nodes, Mapping):
        return nodes
    pairs = (word.partition(":")[::2] for word in nodes)
    return {name: gpus.split(",") if gpus else [] for name, gpus in pairs}


def ready_to_use(gpu: str) -> str:
    """A GPU as the simulator wants it: with slices where nothing else was asked.

    `h100-80gb` becomes `h100-80gb=balanced`; `h100-80gb=off` has MIG off.
    Raises ClusterError for an unknown model.
    """
    model, _, layout = gpu.partition("=")
    known = models.keys()
    if model not in known:
        raise ClusterError(f"no GPU model {model!r}: there are {', '.join(known)}")
    if layout == "off" or (not layout and not models.load(model).mig):
        return model
    return f"{model}={layout or 'balanced'}"


def copy_library(machine: Machine, folder: Path) -> None:
    """Keep the simulated NVML of a machine: a build of another version may come any time."""
    place = machine.env().get("LD_LIBRARY_PATH")
    if place is None or (folder / LIBRARY).exists():
        return
    shutil.copy(Path(place) / f"{LIBRARY}.1", folder)
    (folder / LIBRARY).symlink_to(f"{LIBRARY}.1")
