"""The main job, shown: `python -m tests.demo` (or `make demo`), on a machine without a GPU."""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.cluster import hooking, probe, reach, site
from tests.cluster.cluster import Cluster
from tests.cluster.conffiles import Gres
from tests.cluster.machines import Machines
from tests.cluster.node import environment
from tests.cluster.slurmconf import CONTROLLER

NODES = {
    "gpu1": ["h100-80gb=3g.40gb/2g.20gb/2x1g.10gb"],
    "gpu2": ["a100-40gb=4g.20gb/3x1g.5gb"],
}
LAYOUTS = """\
version: v1
mig-configs:
  seven:
    - {devices: all, mig-enabled: true, mig-devices: {1g.10gb: 7}}
  mixed:
    - {devices: all, mig-enabled: true, mig-devices: {3g.40gb: 1, 2g.20gb: 1, 1g.10gb: 2}}
"""
JOBS = {"job 1": "3g.40gb", "job 2": "1g.10gb", "job 3": "1g.5gb"}
PYTHON = "/usr/bin/python3"
# Each job looks, says so, and stays until all have looked: they do run at the same time.
TOGETHER = f"""
{PYTHON} -I -S /run/checkout/{Path(probe.__file__).relative_to(Path(__file__).parents[1])}
touch /run/cluster/looked.$SLURM_JOB_ID
tries=0
until [ $(ls /run/cluster/looked.* | wc -l) -ge {len(JOBS)} ] || [ $tries -ge 300 ]; do
    tries=$((tries + 1)); sleep 0.1
done
"""

console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)


def main() -> None:
    """Show it; leaves nothing behind."""
    began = time.monotonic()
    say(
        "One NVIDIA GPU can be cut into slices (MIG), each with memory and processors of its own.",
        "Slurm can hand out slices to jobs if somebody writes, for each, the exact device files",
        "that open it. slurm-mig does. Here are two machines, gpu1 and gpu2. Their GPUs are",
        "simulated; everything else is real: NVML client, slurmctld, slurmd, munge, cgroups.",
    )
    with (
        tempfile.TemporaryDirectory(prefix="slurm-mig-demo-") as folder,
        Cluster.up(
            Path(folder, "cluster"),
            NODES,
            slurm="24.11",
            gres=told_by_slurm_mig,
            settings=hooking.SETTINGS,
        ) as cluster,
    ):
        for name in cluster.names:
            hooking.make_map(cluster, name)  # as the unit of slurmd does when it starts
        show(cluster)
        show_hooks(cluster)
        show_reconfigure(cluster)
        show_usage(cluster)
    took = time.monotonic() - began
    step("11. Torn down", f"No process, mount, cgroup or device node is left. {took:.0f} s in all.")


def show(cluster: Cluster) -> None:
    """The steps, one by one, on a cluster that is up."""
    step("1. What is there", "discover joins NVML and the driver's files. On gpu1:")
    console.print(slurm_mig(cluster, "gpu1", "discover"), markup=False, soft_wrap=True)
    step("2. What Slurm must be told", "gen-gres writes it. /etc/slurm/gres.conf of gpu1:")
    console.print(
        cluster.exec("gpu1", ["cat", "/etc/slurm/gres.conf"]).stdout, markup=False, soft_wrap=True
    )
    step("3. Slurm has started with it", "The nodes, as Slurm sees them:")
    sinfo = ["sinfo", "-N", "-o", "%8N %6T %G"]
    console.print(cluster.exec(CONTROLLER, sinfo).stdout, markup=False, soft_wrap=True)
    step("4. Three jobs at once", "Each tries to open every slice's device files. They asked for:")
    for job, profile in JOBS.items():
        console.print(f"{job}: srun --gres=gpu:{profile}:1 …")
    console.print()
    console.print(outcome(cluster, run_jobs(cluster)))
    say(
        "A job opens its own slice and no other, even on the same GPU. (open = the kernel let",
        "the job open all of the slice's files; refused = EPERM, from the job's device cgroup.)",
    )


def show_hooks(cluster: Cluster) -> None:
    """What the prolog, epilog and task prolog of slurm-mig did at each of these jobs, and do."""
    step("5. Two slices, two tasks", "CUDA wants UUIDs; the task prolog gives each task its own:")
    words = ["-w", "gpu2", "-n2", "--gres=gpu:1g.5gb:2", "--gpus-per-task=1g.5gb:1"]
    console.print("srun " + " ".join([*words, "printenv CUDA_VISIBLE_DEVICES"]))
    told = cluster.srun("-Q", "--chdir=/", *words, "printenv", "CUDA_VISIBLE_DEVICES")
    console.print("\n".join(sorted(told.splitlines())))
    step("6. A process outlives its job", "out of Slurm's sight, with the job's slice still open:")
    console.print(left_behind(cluster), markup=False, soft_wrap=True)
    step("7. Who had which slice", "one line of JSON a job in /var/lib/slurm-mig/usage, in short:")
    console.print(records(cluster))


def show_reconfigure(cluster: Cluster) -> None:
    """One node with another layout and back: drained, told to Slurm, and with jobs on both."""
    (cluster.node("gpu1").root / "etc/slurm-mig/config.toml").write_text(site.CONFIG)
    (cluster.folder / "mig.yaml").write_text(LAYOUTS)
    step("8. Another layout", "for gpu1, while a job still holds one of its slices:")
    job = hooking.submit(cluster, "-w", "gpu1", "--gres=gpu:1g.10gb:1", "--wrap", "sleep 3")
    hooking.wait_state(cluster, job, "RUNNING")
    reconfigure(cluster, "seven")
    step("9. And back", "from 7x1g to 3g+2g+2x1g, in one command again:")
    reconfigure(cluster, "mixed")


def show_usage(cluster: Cluster) -> None:
    """What a job, whose program is a stand-in for CUDA, used of its slice."""
    step("10. What a job used", "of what it had. The monitor runs on gpu1, and then a job:")
    words = ["-w", "gpu1", "--gres=gpu:3g.40gb:1", "--chdir=/run/checkout", "sh", "-c"]
    work = f"{sys.executable} -m tests.sim run --memory 2GiB --activity 0.2 --seconds 4"
    with monitored(cluster, "gpu1"):
        told = cluster.srun("-Q", *words, f"echo $SLURM_JOB_ID; exec {work}")
        job = int(told.split()[0])
        hooking.record_of(cluster, "gpu1", job)
    console.print("slurm-mig usage job ", job, sep="")
    shown = slurm_mig(cluster, "gpu1", "usage", "job", str(job))
    console.print(shown, markup=False, soft_wrap=True)


@contextlib.contextmanager
def monitored(cluster: Cluster, node: str) -> Iterator[None]:
    """The monitor runs on that node, as its unit would run it, but looks more often."""
    words = [sys.executable, "-m", "slurm_mig", "monitor", "--period", "0.5"]
    daemon = subprocess.Popen(cluster.command(node, words), env=environment())
    try:
        yield
    finally:
        daemon.terminate()
        daemon.wait(timeout=30)


def reconfigure(cluster: Cluster, label: str) -> None:
    """Do it, show what it did, and run a job on each slice that Slurm has then."""
    words = ["reconfigure", "-f", "/run/cluster/mig.yaml", "-c", label]
    console.print("slurm-mig " + " ".join(words), markup=False, soft_wrap=True)
    console.print(slurm_mig(cluster, "gpu1", *words), markup=False, soft_wrap=True)
    sinfo = ["sinfo", "-N", "-h", "-n", "gpu1", "-o", "%N is %T with %G"]
    console.print(cluster.exec(CONTROLLER, sinfo).stdout, markup=False, soft_wrap=True, end="")
    types = [entry["type"] for entry in hooking.gres_map(cluster, "gpu1")]
    for one in dict.fromkeys(types):
        count = str(types.count(one))
        asked = ["-w", "gpu1", f"-n{count}", f"--gres=gpu:{one}:{count}"]
        asked += [f"--gpus-per-task={one}:1", "printenv", "CUDA_VISIBLE_DEVICES"]
        told = cluster.srun("-Q", "--chdir=/", *asked).split()
        console.print(f"{one}: {len(set(told))} tasks, each on a slice of its own: {told[0]} …")


def left_behind(cluster: Cluster) -> str:
    """A job's process that somebody took out of its cgroup, and what the epilog says of it."""
    job = hooking.submit(cluster, "-w", "gpu2", "--gres=gpu:4g.20gb:1", "--wrap", "sleep 600")
    hooking.wait_state(cluster, job, "RUNNING")
    index = hooking.gres_map(cluster, "gpu2")
    place = next(entry["gres_index"] for entry in index if entry["type"] == "4g.20gb")
    with hooking.holding(cluster, "gpu2", place, hooking.USER):
        cluster.exec(CONTROLLER, ["scancel", str(job)])
        line = hooking.logged(cluster, "gpu2", "hook=epilog", f"job={job} ")
    return line.partition(" pid=")[2].partition(" ")[2]


def records(cluster: Cluster) -> Table:
    """The closed records of both nodes."""
    table = Table(box=None, pad_edge=False)
    for heading in ("node", "job", "user", "profile", "GPU instance", "seconds", "exit", "ended"):
        table.add_column(heading)
    for name in cluster.names:
        for record in hooking.records(cluster, name):
            for one in record["slices"]:
                cells = (record["user"], one["profile"], one["gi_id"], record["duration_s"])
                code = f"{record['exit_code']}:{record['signal']}"
                row = (name, record["job_id"], *cells, code, record["leftovers"])
                table.add_row(*map(str, row))
    return table


def told_by_slurm_mig(machines: Machines, name: str) -> Gres:
    """A node's GRES with short types, so that requests read well here."""
    options = ("gen-gres", "--types", "profile", "--slurm-version", machines.slurm.version)
    line = slurm_mig(machines, name, *options, "--gres-line").strip()
    return Gres(line, slurm_mig(machines, name, *options))


def slurm_mig(machines: Machines, node: str, *words: str) -> str:
    """What slurm-mig prints on a node."""
    return machines.exec(node, [sys.executable, "-m", "slurm_mig", *words]).stdout


def run_jobs(cluster: Cluster) -> dict[str, reach.Reach]:
    """What each of JOBS could open while all of them ran."""
    running = {
        job: subprocess.Popen(
            cluster.command(
                CONTROLLER, ["srun", f"--gres=gpu:{profile}:1", "-J", job, "sh", "-c", TOGETHER]
            ),
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        for job, profile in JOBS.items()
    }
    return {job: reach.parse(srun.communicate(timeout=60)[0])[0] for job, srun in running.items()}


def outcome(cluster: Cluster, reached: Mapping[str, reach.Reach]) -> Table:
    """Slices down, jobs across: who could open what."""
    table = Table(box=None, pad_edge=False)
    for heading in ("node", "slice", "device files"):
        table.add_column(heading)
    for job, found in reached.items():
        table.add_column(f"{job}: {JOBS[job]} on {found.node}")
    for node in cluster.names:
        found = json.loads(slurm_mig(cluster, node, "discover", "--json"))
        for gpu in found["gpus"]:
            for device in gpu["mig_devices"]:
                caps = device["device_files"][1:]
                names = " ".join(path.rpartition("-")[2] for path in caps)
                cells = [verdict(node, caps, each) for each in reached.values()]
                table.add_row(node, device["profile"], f"nvidia{gpu['gpu_minor']} {names}", *cells)
    return table


def verdict(node: str, caps: Sequence[str], found: reach.Reach) -> str:
    """One cell of the table."""
    if found.node != node:
        return "[dim]other node[/dim]"
    if found.allowed >= set(caps):
        return "[bold green]open[/bold green]"
    if found.refused >= set(caps):
        return "refused"
    return "[bold red]open in part[/bold red]"


def step(title: str, text: str) -> None:
    console.print(f"\n[bold]{title}[/bold]  {text}\n")


def say(*lines: str) -> None:
    console.print("\n".join(["", *lines]))


if __name__ == "__main__":
    main()
