"""The monitor with 56 busy slices at a period of a second, and with none: CPU, NVML apart, memory.

`python -m tests.bench.bench_monitor`. A round is measured with the simulated NVML (A100s and
H100s) and again with a fake one that answers at once: what the latter takes is the monitor's own.
The aim: its own part at most 0.5 % of a core. The library's part is the simulator's, not a
driver's. Idle: CPU of the daemon itself in some seconds without a job.
"""

import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from slurm_mig.gpu.nvml.port import GpuInfo, MigInfo
from slurm_mig.gpu.nvml.usage_adapter import usage_session
from slurm_mig.gpu.nvml.usage_port import GPM_METRICS, GpuEvent, Place, UsageNvml, UsedBy
from slurm_mig.model import GiId, GpuIndex
from slurm_mig.usage.monitor.clock import MachineClock
from slurm_mig.usage.monitor.jobs import OpenJobs
from slurm_mig.usage.monitor.monitor import Monitor
from slurm_mig.usage.monitor.settings import MonitorSettings
from tests.sim import library
from tests.sim.api import Sim
from tests.usage.monitor.daemons import Node, monitor, stop, until

ROUNDS, IDLE_S = 40, 10.0
KINDS = {"a100": ["a100-40gb=7x1g.5gb"] * 8, "h100": ["h100-80gb=7x1g.10gb"] * 8}


class Instant:
    """`UsageNvml` that has all answers ready: what the machine said when it was asked first."""

    def __init__(self, nvml: UsageNvml) -> None:
        count = nvml.gpu_count()
        self._gpus = [nvml.gpu(GpuIndex(at)) for at in range(count)]
        self._devices = [nvml.mig_devices(GpuIndex(at)) for at in range(count)]
        self._processes = [nvml.processes(GpuIndex(at)) for at in range(count)]
        self._gpm = nvml.has_gpm(GpuIndex(0))
        self._energy_mj = 0

    def gpu_count(self) -> int:
        return len(self._gpus)

    def gpu(self, gpu_index: GpuIndex) -> GpuInfo:
        return self._gpus[gpu_index]

    def mig_devices(self, gpu_index: GpuIndex) -> tuple[MigInfo, ...]:
        return self._devices[gpu_index]

    def compute_slices(self, gpu_index: GpuIndex) -> int | None:
        return 7

    def memory_used_mib(self, place: Place) -> float:
        return 1000.0

    def sram_uncorrected(self, place: Place) -> int | None:
        return 0

    def processes(self, gpu_index: GpuIndex) -> tuple[UsedBy, ...]:
        return self._processes[gpu_index]

    def energy_mj(self, gpu_index: GpuIndex) -> int | None:
        self._energy_mj += 1
        return self._energy_mj

    def power_w(self, gpu_index: GpuIndex) -> float | None:
        return 100.0

    def has_gpm(self, gpu_index: GpuIndex) -> bool:
        return self._gpm

    def gpm_sample(
        self, gpu_index: GpuIndex, gi_id: GiId | None, old: object | None = None
    ) -> object:
        return self

    def gpm_between(self, first: object, second: object) -> tuple[float | None, ...]:
        return (0.5,) * len(GPM_METRICS)

    def watch(self, gpu_indices: tuple[GpuIndex, ...]) -> frozenset[GpuIndex]:
        return frozenset(gpu_indices)

    def events(self) -> tuple[GpuEvent, ...]:
        return ()


def instant() -> AbstractContextManager[UsageNvml]:
    """A session that costs nothing."""

    @contextmanager
    def opened() -> Any:
        with usage_session() as nvml:
            ready = Instant(nvml)
        yield ready

    return opened()


def cpu_s() -> float:
    """User and system time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident_kib() -> int:
    """What of this process is in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024


def rounds(node: Node, open_nvml: Callable[[], Any]) -> tuple[list[float], int]:
    """CPU seconds of each round over all jobs, and by how many KiB the process grew meanwhile."""
    settings = MonitorSettings(period_s=1.0, device_check=False)
    watched = Monitor(node.sim.root, settings, open_nvml, MachineClock())
    jobs = OpenJobs(str(node.sim.root))
    spent = []
    for number in range(ROUNDS):
        if number == ROUNDS // 4:
            before_kib = resident_kib()
        begin = cpu_s()
        watched.meet(jobs.look())
        watched.round()
        watched.snapshot()
        spent.append(cpu_s() - begin)
        time.sleep(0.11)  # GPM tells nothing of less
    grown_kib = resident_kib() - before_kib
    watched.close()
    jobs.close()
    return spent[1:], grown_kib


def busy(kind: str, gpus: Sequence[str], folder: Path) -> None:
    """A process and a job on each of 56 slices."""
    sim = Sim.new(folder / kind, gpus, nodes=False)
    os.environ["MIGSIM_DIR"] = str(sim.dir)
    library.load()
    node, children = Node(sim), []
    try:
        for at, one in enumerate(node.slices):
            child = subprocess.Popen(["/bin/sleep", "3600"])
            children.append(child)
            place = (one.gpu_index, one.gi_id, one.ci_id)
            load = [library.Step(0, 1 << 30, 0.5)]
            assert library.add_process(sim.dir, child.pid, 0, place, load) == 0
            own = sim.root / f"proc/{child.pid}"
            own.mkdir()
            (own / "stat").symlink_to(f"/proc/{child.pid}/stat")
            (own / "cgroup").write_text(f"0::/system.slice/slurmstepd.scope/job_{at + 1}/step_0\n")
            node.begin(at + 1, at)
        all_of_it, _ = rounds(node, usage_session)
        own_part, grown_kib = rounds(node, instant)
    finally:
        for child in children:
            child.kill()
            child.wait()
    mine, total = median(own_part), median(all_of_it)
    print(
        f"{kind}: {len(node.slices)} slices, a round: {total * 1000:6.1f} ms of CPU, of it "
        f"NVML (simulated, by pynvml) {(total - mine) * 1000:6.1f} ms, the monitor's own "
        f"{mine * 1000:5.2f} ms: {100 * mine:.2f} % of a core at a period of 1 s; "
        f"grew by {grown_kib} KiB in {ROUNDS * 3 // 4} rounds"
    )


def idle(folder: Path) -> None:
    """The daemon without jobs."""
    sim = Sim.new(folder / "idle", KINDS["a100"], nodes=False)
    node = Node(sim)
    with monitor(sim) as process:
        until((node.run / "usage").exists, "daemon")
        time.sleep(1)
        before = ticks(process.pid)
        time.sleep(IDLE_S)
        spent_s = (ticks(process.pid) - before) / os.sysconf("SC_CLK_TCK")
        status = Path(f"/proc/{process.pid}/status").read_text()
        (memory,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
        stop(process)
    share = 100 * spent_s / IDLE_S
    print(f"idle: {share:.3f} % of a core in {IDLE_S:.0f} s, {int(memory) / 1024:.1f} MiB")


def ticks(pid: int) -> int:
    """CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory(prefix="slurm-mig-bench-", dir="/dev/shm") as name:
        for kind, gpus in KINDS.items():
            busy(kind, gpus, Path(name))
        idle(Path(name))


if __name__ == "__main__":
    main()
