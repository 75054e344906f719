"""A real Prometheus on a node with a real monitor: what it is told of a job, and the record."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.cluster import hooking
from tests.cluster.cluster import Cluster
from tests.cluster.node import environment
from tests.usage.metrics.server import Place, Server, serving

NODES = {"n1": ["h100-80gb=3g.40gb/4x1g.10gb"]}
PORT, GIB = 9835, 1 << 30
_FETCH = """
import sys, urllib.error, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())
except urllib.error.HTTPError as why:
    print(why.read().decode())
"""
WORK = "cd /run/checkout && /usr/bin/python3 -m tests.sim run --memory 2GiB --activity 0.5"


@contextlib.contextmanager
def monitor(cluster: Cluster) -> Iterator[None]:
    """`slurm-mig monitor` on the node."""
    words = [sys.executable, "-m", "slurm_mig", "monitor", "--period", "0.5"]
    log = cluster.folder / "log/monitor.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            cluster.command("n1", words), env=environment(), stdout=out, stderr=out
        )
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0, log.read_text()


def place(cluster: Cluster) -> Place:
    """The node: it has a network of its own, on which every port is free."""

    def fetch(url: str) -> str:
        asked = [sys.executable, "-I", "-S", "-c", _FETCH, url]
        done = cluster.exec("n1", asked, check=False)
        if done.returncode != 0:
            raise OSError(done.stderr)
        return done.stdout

    return Place(lambda words: cluster.command("n1", words), fetch, 9090)


def test_prometheus_and_the_record_agree(tmp_path: Path) -> None:
    with (
        hooking.up(tmp_path / "c", NODES, slurm="24.11") as cluster,
        monitor(cluster),
        serving(tmp_path / "prometheus", PORT, place(cluster)) as server,
    ):
        assert server.becomes('slurm_mig_monitor_state{state="asleep"}', 1), server.words()
        assert server.value("slurm_mig_map_stale") == 0
        assert server.value("sum(slurm_mig_slice_allocated)") == 0
        assert server.value("count(slurm_mig_slice_allocated)") == 5
        assert server.value("count(slurm_mig_layout_drift_slices)") == 2
        # The job ends when it was looked at.
        mine = "trap 'kill %1' TERM; " + WORK + " --seconds 60 & wait"
        job = hooking.submit(cluster, "--gres=gpu:nvidia_h100_80gb_hbm3_3g.40gb:1", "--wrap", mine)
        _looked_at(server, job)
        hooking.slurm_mig(cluster, "n1", "monitor", "--once")  # beside the daemon
        cluster.exec("ctl", ["scancel", "--batch", "--signal=TERM", str(job)])
        record = hooking.record_of(cluster, "n1", job)

        drift = "max(max_over_time(slurm_mig_layout_drift_slices[1h]))"
        assert server.value(drift) == 0  # asleep and awake
        usage = record["slices"][0]["usage"]
        of = f'{{hpc_job="{job}"}}'
        peak = server.value(f"max_over_time(slurm_mig_slice_memory_used_bytes{of}[1h])")
        assert peak == usage["memory"]["peak_mib"] * 2**20
        assert usage["processes"]["peak"] == 1
        busy = server.value(f"max_over_time(slurm_mig_slice_graphics_activity_ratio{of}[1h])")
        assert busy is not None
        assert busy <= usage["activity"]["graphics"]["max"] + 0.001
        energy = server.value(
            f"max_over_time(slurm_mig_slice_energy_estimate_joules_total{of}[1h])"
        )
        assert energy is not None
        assert 0 < energy <= usage["energy"]["joules"] + 0.001  # a record is rounded
        assert server.becomes("slurm_mig_records_total", 1)
        assert server.becomes("sum(slurm_mig_slice_allocated)", 0)
        assert server.becomes('slurm_mig_device_checks_total{result="exact"}', 1)


def _looked_at(server: Server, job: int) -> None:
    of = f'{{hpc_job="{job}"}}'
    assert server.becomes(f"sum(slurm_mig_slice_processes{of})", 1), server.words()
    assert server.becomes(f"count(slurm_mig_slice_memory_used_bytes{of} > {2 * GIB})", 1)
    assert server.becomes(f"count(slurm_mig_slice_graphics_activity_ratio{of} > 0.4)", 1)
    ((labels, _),) = server.query(f"slurm_mig_slice_memory_used_bytes{of}")
    assert labels["GPU_I_PROFILE"] == "3g.40gb"
    assert labels["gpu"] == "0"
    power = server.query("slurm_mig_gpu_power_watts")
    assert len(power) == 1
