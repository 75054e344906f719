"""The monitor beside a real Slurm: what jobs used is in their records, though it was killed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from slurm_mig.usage import sums
from tests.cluster import cgroups, hooking, unconstrain
from tests.cluster.cluster import Cluster
from tests.cluster.node import environment
from tests.cluster.slurmconf import CONTROLLER
from tests.sim.api import CHECKOUT

GPUS = ["h100-80gb=3g.40gb/2x1g.10gb", "a100-40gb=3g.20gb@4:1c:2c"]
H100 = "nvidia_h100_80gb_hbm3"
# On a slice each; compute instances that share a GPU instance; and one that does nothing.
JOBS = {
    f"gpu:{H100}_3g.40gb:1": ("2GiB,1MiB@1", "0.5"),
    f"gpu:{H100}_1g.10gb:1": ("512MiB", "1"),
    "gpu:nvidia_a100_1c.3g.20gb:1": ("256MiB", "1"),
    "gpu:nvidia_a100_2c.3g.20gb:1": None,
}
WORK = """\
cd /run/checkout
/usr/bin/python3 -B -m tests.sim run --memory {0} --activity {1} & pid=$!
until [ -e /run/cluster/released ]; do sleep 0.1; done
kill $pid; wait
"""
IDLE = "until [ -e /run/cluster/released ]; do sleep 0.1; done"
# What the unit leaves root (systemd/slurm-mig-monitor.service).
LEFT = "-all,+sys_admin,+sys_ptrace"
MONITOR = [
    "setpriv", f"--bounding-set={LEFT}", "--inh-caps=-all", "--no-new-privs", "--",
    sys.executable, "-m", "slurm_mig", "monitor", "--period", "0.25",
]  # fmt: skip


KINDS = [
    pytest.param(("24.11", cgroups.V1), id="24.11, v1"),
    pytest.param(("24.11", cgroups.V2), id="24.11, v2"),
    pytest.param(("26.05", cgroups.V2), id="26.05, v2", marks=pytest.mark.system),  # by SLUID
]


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> tuple[str, int]:
    """Which Slurm runs, on which cgroups."""
    slurm, cgroup = request.param
    return slurm, cgroup


@pytest.fixture(scope="module")
def cluster(kind: tuple[str, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A node with the hooks on."""
    folder = tmp_path_factory.mktemp("monitor") / "c"
    with hooking.up(folder, {"n1": GPUS}, slurm=kind[0], cgroup=kind[1]) as running:
        yield running


@contextmanager
def monitor(cluster: Cluster) -> Iterator["subprocess.Popen[bytes]"]:
    """The daemon on the node; killed in the end."""
    words = cluster.command("n1", MONITOR)
    with subprocess.Popen(words, env=environment(), stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def submit(cluster: Cluster, gres: str) -> int:
    """Root's job on that slice: it may write to the simulator's state."""
    load = JOBS[gres]
    script = IDLE if load is None else WORK.format(*load)
    asked = ["sbatch", "--parsable", "-D", "/", "-o", "/dev/null", f"--gres={gres}"]
    done = cluster.exec(CONTROLLER, [*asked, "--wrap", script])
    return int(done.stdout.partition(";")[0])


def rows(cluster: Cluster) -> dict[int, sums.Row]:
    """What is handed over now, by job."""
    folder = cluster.node("n1").root / "run/slurm-mig/usage"
    files = [path for path in folder.glob("*.*") if not path.name.endswith(".devices")]
    found = {path.name.split(".")[0]: sums.read(path.read_bytes()) for path in files}
    return {int(job): state.slices[0] for job, state in found.items() if state is not None}


def is_looked_at(cluster: Cluster, jobs: dict[int, str]) -> bool:
    """Whether every job's cgroup was, and its process is there."""
    folder, known = cluster.node("n1").root / "run/slurm-mig/usage", rows(cluster)
    checks = [json.loads(path.read_text()) for path in folder.glob("*.devices")]
    seen = sum(check["result"] == "exact" for check in checks) == len(jobs)
    return seen and all(job in known and is_seen(known[job], gres) for job, gres in jobs.items())


def is_seen(row: sums.Row, gres: str) -> bool:
    """Whether the job's process was, at work from one sample to the next."""
    load = JOBS[gres]
    if load is None or H100 not in gres:
        return row[sums.SAMPLES] >= 4 and row.stat(sums.PROCESSES).high == (load is not None)
    return row.stat(sums.ACTIVITY).high >= float(load[1]) - 0.01


def test_what_jobs_used_is_in_their_records(cluster: Cluster) -> None:
    with monitor(cluster) as first:
        jobs = {submit(cluster, gres): gres for gres in JOBS}
        hooking.wait_for(lambda: is_looked_at(cluster, jobs), "samples of every job", cluster)
        assert said_of_the_monitor(cluster) == []
        first.kill()
        first.wait()
    (told,) = said_of_the_monitor(cluster)
    assert (told["level"], "does not any more" in told["what"]) == ("risky", True)
    with monitor(cluster):
        hooking.wait_for(
            lambda: all(row[sums.GAPS] >= 1 for row in rows(cluster).values()), "gaps", cluster
        )
        (cluster.folder / "released").touch()
        records = {gres: hooking.record_of(cluster, "n1", job) for job, gres in jobs.items()}
        cluster.wait_idle(hooking.LIMIT_S)
    for gres, record in records.items():
        check(gres, record)
    assert list((cluster.node("n1").root / "run/slurm-mig/usage").iterdir()) == []


def said_of_the_monitor(cluster: Cluster) -> list[dict[str, str]]:
    """By doctor, on the node."""
    tool = [sys.executable, "-m", "slurm_mig", "doctor", "--json"]
    findings = json.loads(cluster.exec("n1", tool, check=False).stdout)["findings"]
    return [one for one in findings if one["about"] in ("monitor", "metrics")]


def check(gres: str, record: dict[str, Any]) -> None:
    """One record, against what its job did."""
    schema = json.loads(Path(CHECKOUT, "docs/usage.schema.json").read_text())
    jsonschema.validate(record, schema, jsonschema.Draft202012Validator)
    load, (one,), (power,) = JOBS[gres], record["slices"], record["power"]
    found, shared = one["usage"], "c.3g" in gres
    busy_mib = {"2GiB": 2048, "512MiB": 512, "256MiB": 256}[load[0].split(",")[0]] if load else 0
    assert record["device_check"]["result"] == "exact"
    assert found["processes"]["peak"] == (load is not None)
    by = "nvml-processes" if shared else "nvml-memory-info"
    assert found["memory"]["method"] == by
    assert busy_mib <= found["memory"]["peak_mib"] <= busy_mib + (0 if shared else 30)
    assert found["gaps"] >= 1
    assert 0 < found["coverage"] < 1
    assert found["energy"]["joules"] == pytest.approx(
        power["joules"] * found["energy"]["share"], rel=0.01, abs=0.1
    )
    if H100 in gres and load is not None:
        assert found["activity"]["graphics"]["max"] == pytest.approx(float(load[1]), abs=0.02)
    else:
        assert found["activity"] is None
    assert found["errors"] == {"xids": [], "ecc_sram_uncorrected": 0}


ALLOW = """\
set -e
for folder in $(find /sys/fs/cgroup/devices -type d -path "*/job_{0}*" | sort); do
    for device in {1}; do echo "c $device rwm" >"$folder/devices.allow"; done
done
"""


def allow(cluster: Cluster, kind: tuple[str, int], job: int, other: dict[str, Any]) -> set[str]:
    """Let a job open the files of another slice too, under v2 all files; what it may open then."""
    if kind[1] == cgroups.V2:
        cluster.exec("n1", ["/usr/bin/python3", unconstrain.__file__])
        return {name(one) for one in hooking.gres_map(cluster, "n1")}
    devices = " ".join(f"{file['major']}:{file['minor']}" for file in other["files"][1:])
    cluster.exec("n1", ["sh", "-c", ALLOW.format(job, devices)])
    return {name(other)}


def name(one: dict[str, Any]) -> str:
    """What a check calls a slice of the gres map, or of a record."""
    mig = one.get("mig", one)
    return f"gpu{one['gpu_minor']}.gi{mig['gi_id']}.ci{mig['ci_id']}"


def test_a_slice_too_many_is_seen(cluster: Cluster, kind: tuple[str, int]) -> None:
    (cluster.folder / "released").unlink(missing_ok=True)
    script = f"touch /run/cluster/begun; {IDLE}"
    asked = ["sbatch", "--parsable", "-D", "/", "-o", "/dev/null", f"--gres=gpu:{H100}_1g.10gb:1"]
    job = int(cluster.exec(CONTROLLER, [*asked, "--wrap", script]).stdout.partition(";")[0])
    # Slurm's own constraints are set by then.
    hooking.wait_for((cluster.folder / "begun").exists, "begin of the job", cluster)
    open_record = cluster.node("n1").root / f"run/slurm-mig/jobs/{job}.json"
    mine = json.loads(open_record.read_text())["record"]["slices"][0]
    other = next(
        one
        for one in hooking.gres_map(cluster, "n1")
        if one["type"] == mine["type"] and one["gres_index"] != mine["gres_index"]
    )
    extra = sorted(allow(cluster, kind, job, other) - {name(mine)})
    with monitor(cluster) as daemon:
        folder = cluster.node("n1").root / "run/slurm-mig/usage"
        hooking.wait_for(lambda: list(folder.glob(f"{job}.*.devices")), "a look", cluster)
        (cluster.folder / "released").touch()
        record = hooking.record_of(cluster, "n1", job)
        daemon.terminate()
        said = daemon.communicate()[1].decode()
    assert record["device_check"] == {
        "result": "differs", "extra": extra, "missing": [], "why": None,
    }  # fmt: skip
    assert f"job {job}: its device cgroup is wrong: it can open {extra[0]}" in said
