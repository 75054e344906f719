"""gen-gres on 8 GPUs of 7 slices against a bare script that makes the same NVML calls.

`python -m tests.bench.bench_gres`: medians of RUNS turns each, in turn, in the same run. The aim
is a ratio of at most 2.5.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.sim.api import Sim

RUNS = 15
GPUS = ["a100-40gb=7x1g.5gb"] * 8
BARE = """
import pynvml as n
n.nvmlInit()
n.nvmlSystemGetDriverVersion()
for i in range(n.nvmlDeviceGetCount()):
    gpu = n.nvmlDeviceGetHandleByIndex(i)
    n.nvmlDeviceGetName(gpu), n.nvmlDeviceGetUUID(gpu), n.nvmlDeviceGetMinorNumber(gpu)
    n.nvmlDeviceGetPciInfo(gpu), n.nvmlDeviceGetMemoryInfo(gpu), n.nvmlDeviceGetMigMode(gpu)
    for j in range(n.nvmlDeviceGetMaxMigDeviceCount(gpu)):
        mig = n.nvmlDeviceGetMigDeviceHandleByIndex(gpu, j)
        n.nvmlDeviceGetUUID(mig), n.nvmlDeviceGetName(mig), n.nvmlDeviceGetAttributes(mig)
        n.nvmlDeviceGetGpuInstanceId(mig), n.nvmlDeviceGetComputeInstanceId(mig)
    for profile in range(19):
        try:
            info = n.nvmlDeviceGetGpuInstanceProfileInfo(gpu, profile, version=2)
        except n.NVMLError:
            continue
        found = (n.c_nvmlGpuInstance_t * info.instanceCount)()
        count = n.c_uint(info.instanceCount)
        get = n._nvmlGetFunctionPointer("nvmlDeviceGetGpuInstances")
        get(gpu, info.id, found, n.byref(count))
        for at in range(count.value):
            n.nvmlGpuInstanceGetInfo(found[at])
n.nvmlShutdown()
"""


def commands() -> dict[str, list[str]]:
    """What is measured: the bare script, and gen-gres with and without asking slurmd."""
    bare = [sys.executable, "-I", "-c", BARE]
    ours = [str(Path(sys.executable).with_name("slurm-mig")), "gen-gres"]
    return {"bare pynvml": bare, "gen-gres": [*ours, "--slurm-version", "24.11.5"]}


def main() -> None:
    """Print the medians and the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        sim = Sim.new(Path(folder, "sim"), GPUS)
        environment = {**os.environ, **sim.env()}
        took: dict[str, list[float]] = {name: [] for name in commands()}
        for _ in range(RUNS):
            for name, command in commands().items():
                start = time.perf_counter()
                subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
                took[name].append(time.perf_counter() - start)
    medians = {name: median(seconds) for name, seconds in took.items()}
    for name, seconds in medians.items():
        print(f"{name:<12} {seconds * 1000:7.1f} ms")
    print(f"ratio        {medians['gen-gres'] / medians['bare pynvml']:7.2f} (at most 2.5)")


if __name__ == "__main__":
    main()
