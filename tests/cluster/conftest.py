"""Fixtures of the tests that run a real Slurm."""

import contextlib
import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

import pytest

from tests.cluster import roots
from tests.cluster.bring_up import group_of
from tests.cluster.cluster import Cluster
from tests.cluster.conffiles import Gres
from tests.cluster.machines import Machines
from tests.cluster.slurmds import Machine

CAP = "/dev/nvidia-caps/nvidia-cap"
# Two slices of one type and one of another, as lines that need no driver to be written.
BARE_GRES = Gres(
    "gpu:1g.10gb:2,gpu:3g.40gb:1",
    f"""\
Name=gpu Type=3g.40gb MultipleFiles=/dev/nvidia0,{CAP}12,{CAP}13 Flags=nvidia_gpu_env
Name=gpu Type=1g.10gb MultipleFiles=/dev/nvidia0,{CAP}30,{CAP}31 Flags=nvidia_gpu_env
Name=gpu Type=1g.10gb MultipleFiles=/dev/nvidia1,{CAP}4,{CAP}5 Flags=nvidia_gpu_env
""",
)


class BareMachine:
    """A tree of real device nodes without any driver behind: no NVML, only gres.conf lines."""

    def __init__(self, root: Path, gpus: int = 2, caps: int = 40) -> None:
        self.root = root
        (root / "dev/nvidia-caps").mkdir(parents=True)
        self._node("nvidiactl", 195, 255)
        for minor in range(gpus):
            self._node(f"nvidia{minor}", 195, minor)
        for minor in range(caps):
            self._node(f"nvidia-caps/nvidia-cap{minor}", 240, minor)

    def _node(self, name: str, major: int, minor: int) -> None:
        path = self.root / "dev" / name
        os.mknod(path, 0o020666, os.makedev(major, minor))
        path.chmod(0o666)

    def env(self) -> dict[str, str]:
        """Nothing: there is no library to choose."""
        return {}


@pytest.fixture
def bare_machine(tmp_path: Path) -> BareMachine:
    """Two GPUs' device nodes and forty capabilities, in a folder of the test."""
    return BareMachine(tmp_path / "machine")


def bare(folder: Path, gpus: Sequence[str]) -> Machine:
    """What Cluster.up makes of a node, where no simulator is wanted."""
    return BareMachine(folder / "root")


def bare_gres(machines: Machines, name: str) -> Gres:
    """The same lines for every node."""
    return BARE_GRES


@pytest.fixture(params=roots.GATING)
def version(request: pytest.FixtureRequest) -> str:
    """Each Slurm that gates."""
    return str(request.param)


@pytest.fixture(scope="module", params=roots.GATING)
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Two simulated nodes under each Slurm that gates, set up by slurm-mig itself."""
    folder = tmp_path_factory.mktemp("cluster") / "c"
    nodes = {"n1": ["h100-80gb", "l40s"], "n2": ["a100-40gb=3g.20gb/4x1g.5gb"]}
    with Cluster.up(folder, nodes, slurm=str(request.param)) as running:
        yield running


def leftovers(folder: Path) -> list[str]:
    """What is still there of a cluster that is said to be down."""
    group = group_of(folder)
    found = [str(folder)] if folder.exists() else []
    for listed in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            lines = listed.read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        # Whoever has ended and was not waited for still names its group of v2, which is gone.
        if any(group in line and not line.endswith(" (deleted)") for line in lines):
            found.append(str(listed))
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/{group}")]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return found + [line for line in mounts if str(folder) in line]


def until(true: Callable[[], bool], limit_s: float = 20.0) -> bool:
    """Wait for something to come true; whether it did."""
    end = time.monotonic() + limit_s
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


def _logs(cluster: Cluster) -> str:
    """The last lines of its daemons, and of slurm-mig on each node."""
    told = []
    with contextlib.suppress(OSError):  # it may be down by now
        told.append(cluster.logs(60))
        for file in sorted(cluster.folder.glob("nodes/*/root/var/log/slurm-mig/*")):
            told.append("\n".join([f"== {file}", *file.read_text().splitlines()[-20:]]))
    return "\n".join(told)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With a failure, what the daemons of its cluster said last."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Cluster):
                report.sections.append((f"the logs of {name}", _logs(value)))
    return report
