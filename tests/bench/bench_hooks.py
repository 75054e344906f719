"""The hooks on a node of 56 slices: time of one, of 56 at once, memory, and jobs per second.

`python -m tests.bench.bench_hooks`: medians of RUNS turns each, all in turn, in the same run.
The aims: prolog and epilog at most 2.5 times a Python that does nothing, a job without GPUs at
most 1.5 times; jobs per second at least 0.85 of those with /bin/true for hooks. What two Pythons
that do nothing leave of that is measured too.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from slurm_mig.usage.monitor import adding, handover
from slurm_mig.usage.monitor.adding import Reading
from slurm_mig.usage.monitor.handover import HandOver
from slurm_mig.usage.monitor.jobs import OpenJobs
from tests.cluster import hooking
from tests.cluster.cluster import Cluster
from tests.cluster.slurmconf import CONTROLLER

RUNS = 25
GPUS = ["a100-40gb=7x1g.5gb"] * 8
SLICES = 56
JOBS, TURNS, LIMIT_S = 240, 3, 120.0
HOOKS = hooking.HOOKS
NOTHING = ("/usr/bin/python3", "-I", "-S", "-c", "pass")
# The same by the usual means: which slice is it, are its files right, who is on it, write it down.
USUAL = """
import click, json, os, pynvml as n
n.nvmlInit()
found = []
for i in range(n.nvmlDeviceGetCount()):
    gpu = n.nvmlDeviceGetHandleByIndex(i)
    for j in range(n.nvmlDeviceGetMaxMigDeviceCount(gpu)):
        mig = n.nvmlDeviceGetMigDeviceHandleByIndex(gpu, j)
        found.append((n.nvmlDeviceGetMinorNumber(gpu), mig, n.nvmlDeviceGetUUID(mig),
                      n.nvmlDeviceGetGpuInstanceId(mig), n.nvmlDeviceGetComputeInstanceId(mig)))
minor, mig, uuid, gi, ci = found[int(os.environ["SLURM_JOB_GPUS"])]
os.stat(f"/dev/nvidia{minor}")
os.stat(f"/proc/driver/nvidia/capabilities/gpu{minor}/mig/gi{gi}/ci{ci}/access")
n.nvmlDeviceGetComputeRunningProcesses(mig)
with open("/run/usual.json", "w") as file:
    json.dump({"job": os.environ["SLURM_JOB_ID"], "uuid": uuid, "gi": gi, "ci": ci}, file)
n.nvmlShutdown()
"""
PEAK = """
import os, sys
process = os.fork()
if not process:
    os.execv(sys.argv[1], sys.argv[1:])
print(os.wait4(process, 0)[2].ru_maxrss)
"""
IDLE = "python that does nothing"
MEASURED = "epilog, with a monitor"  # whose sums go into the record
COMMANDS: Mapping[str, Sequence[str]] = {
    IDLE: NOTHING,
    "prolog": (f"{HOOKS}/prolog",),
    "epilog": (f"{HOOKS}/epilog",),
    MEASURED: (f"{HOOKS}/epilog",),
    "prolog, job without GPUs": (f"{HOOKS}/prolog",),
    "epilog, job without GPUs": (f"{HOOKS}/epilog",),
    "import pynvml, click": (sys.executable, "-c", USUAL),
}


def environment(words: Sequence[str], job: int, gpus: str | None) -> dict[str, str]:
    """What slurmd gives a hook: next to nothing."""
    env = {"SLURM_JOB_ID": str(job), "SLURM_JOB_UID": str(hooking.USER), "SLURM_JOB_USER": "nobody"}
    env |= {"SLURMD_NODENAME": "n1", "SLURM_JOB_PARTITION": "main", "SLURM_JOB_EXIT_CODE2": "0:0"}
    if gpus is not None:
        env["SLURM_JOB_GPUS"] = gpus
    if words[0] == sys.executable:
        env["LD_LIBRARY_PATH"], env["MIGSIM_DIR"] = "/run/cluster/lib", "/run/sim"
    return env


def start(words: Sequence[str], job: int, gpus: str | None) -> int:
    """Start a hook as slurmd does; its process."""
    return os.posix_spawn(words[0], list(words), environment(words, job, gpus))


def finish(process: int) -> None:
    """Wait for it. Raises RuntimeError if it failed."""
    _, status = os.waitpid(process, 0)
    if status != 0:
        raise RuntimeError(f"a hook failed: {status}")


def measure(job: int, place: int) -> None:
    """A job as its epilog finds it where a monitor runs: ten minutes of it sampled, all busy."""
    finish(start(COMMANDS["prolog"], job, str(place)))
    jobs = OpenJobs("/")
    (found,) = (one for one in jobs.look().values() if one.job_id == job)
    jobs.close()
    file = HandOver(handover.folder("/"), found, 5.0)
    now, before = Reading(1234.5, False, 1, 0), None
    for at in range(120):
        adding.reading(file.sums.slices[0], before, now, 1000.0 + 5 * at, 5.0)
        adding.activity(
            file.sums.slices[0], (0.123,) * 8, 995.0 + 5 * at, 1000.0 + 5 * at, whole=False
        )
        before = now
    file.write()
    file.close()


def peak_kib(words: Sequence[str], job: int, gpus: str | None) -> int:
    """The peak of its memory; a process counts what it was before exec, so its parent is small."""
    small = (*NOTHING[:-1], PEAK, *words)
    return int(subprocess.check_output(small, env=environment(words, job, gpus)))


def inside() -> None:
    """On the node: print what was measured there, as JSON."""
    took: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for turn in range(RUNS):
        for name, words in COMMANDS.items():
            gpus = None if name.endswith("without GPUs") else str(turn % SLICES)
            if name == MEASURED:
                measure(1000 + turn, turn % SLICES)
            begin = time.perf_counter()
            finish(start(words, 1000 + turn, gpus))
            took[name].append(time.perf_counter() - begin)
    peaks = {
        name: peak_kib(words, 3000, None if name.endswith("without GPUs") else "0")
        for name, words in COMMANDS.items()
    }
    print(json.dumps({"took": took, "peaks": peaks, "at_once": at_once()}))


def at_once() -> float:
    """Seconds until the last of SLICES epilogs, all started together, has ended."""
    for job in range(SLICES):
        finish(start(COMMANDS["prolog"], 2000 + job, str(job)))
    begin = time.perf_counter()
    epilogs = [start(COMMANDS["epilog"], 2000 + job, str(job)) for job in range(SLICES)]
    for process in epilogs:
        finish(process)
    return time.perf_counter() - begin


def use_hooks(cluster: Cluster, hooks: Mapping[str, str]) -> None:
    """Let Slurm run these hooks from now on."""
    conf = cluster.conf / "slurm.conf"
    lines = [line for line in conf.read_text().splitlines() if line.split("=")[0] not in hooks]
    conf.write_text("\n".join([*(f"{key}={value}" for key, value in hooks.items()), *lines, ""]))
    cluster.exec(CONTROLLER, ["scontrol", "reconfigure"])
    cluster.wait_idle()


def jobs_per_second(cluster: Cluster) -> float:
    """Of JOBS jobs on a slice each, from the first's submission until the last one runs.

    Nobody asks Slurm meanwhile: that would take more of this machine than the jobs do.
    """
    done = cluster.folder / "done"
    done.write_text("")
    done.chmod(0o666)
    begin = time.perf_counter()
    words = [f"--array=1-{JOBS}", "--gres=gpu:1", "--wrap", "echo >>/run/cluster/done"]
    hooking.submit(cluster, *words)
    hooking.wait_for(lambda: done.stat().st_size == JOBS, f"{JOBS} jobs", cluster, LIMIT_S)
    spent = time.perf_counter() - begin
    cluster.wait_idle(LIMIT_S)
    return JOBS / spent


def throughput(cluster: Cluster) -> dict[str, float]:
    """The median with each kind of hooks, turn by turn."""
    nothing = cluster.folder / "nothing"
    nothing.write_text(f"#!/bin/sh\nexec {' '.join(NOTHING)}\n")
    nothing.chmod(0o755)
    kinds = {
        "/bin/true": dict.fromkeys(("Prolog", "Epilog"), "/bin/true"),
        IDLE: dict.fromkeys(("Prolog", "Epilog"), "/run/cluster/nothing"),
        "slurm-mig": {key: hooking.SETTINGS[key] for key in ("Prolog", "Epilog")},
    }
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(TURNS):
        for name, hooks in kinds.items():
            use_hooks(cluster, hooks)
            found[name].append(jobs_per_second(cluster))
    return {name: median(rates) for name, rates in found.items()}


def main() -> None:
    """Print the medians and ratios."""
    if sys.argv[1:] == ["inside"]:
        inside()
        return
    settings = {
        "SchedulerParameters": "sched_interval=1,batch_sched_delay=0,bf_interval=1",
        "TaskProlog": "",
        "SlurmdDebug": "error",
        "SlurmctldDebug": "error",
    }
    with (
        tempfile.TemporaryDirectory(prefix="slurm-mig-bench-") as folder,
        hooking.up(
            Path(folder, "c"), {"n1": GPUS}, slurm="22.05", settings=settings, cpus=64
        ) as cluster,
    ):
        Path(folder).chmod(0o755)  # the jobs are an ordinary user's
        words = [sys.executable, "-m", "tests.bench.bench_hooks", "inside"]
        answer = json.loads(cluster.exec("n1", words, timeout_s=300).stdout)
        rates = throughput(cluster)
    report(answer["took"], answer["peaks"])
    print(f"{SLICES} epilogs at once, the slowest: {answer['at_once'] * 1000:7.0f} ms")
    for name, rate in rates.items():
        share = rate / rates["/bin/true"]
        print(f"jobs per second with {name:<23} for hooks: {rate:5.1f}, {share:.2f} of /bin/true's")


def report(took: Mapping[str, list[float]], peaks: Mapping[str, int]) -> None:
    """A line a command."""
    nothing = median(took[IDLE])
    for name, seconds in took.items():
        spent = median(seconds)
        print(
            f"{name:<26} {spent * 1000:7.1f} ms  {spent / nothing:5.2f} times nothing"
            f"  {peaks[name] / 1024:5.1f} MiB"
        )


if __name__ == "__main__":
    main()
