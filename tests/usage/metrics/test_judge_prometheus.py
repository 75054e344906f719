"""Prometheus itself as the judge: it scrapes a real address, and says what it understood."""

import contextlib
import time
from pathlib import Path

from slurm_mig.usage.metrics.sinks import metrics_sink
from slurm_mig.usage.monitor.settings import MonitorSettings
from tests.usage.metrics import board
from tests.usage.metrics.moments import H100, JOBS, entry, on_h100, snapshot, whole_a100, write_map
from tests.usage.metrics.server import free_port, serving


def test_it_understands_what_was_measured(tmp_path: Path) -> None:
    write_map(tmp_path, [entry(0, 9), entry(1, 10), entry(2, 11), entry(3, None, gpu=1)])
    port = free_port()
    with contextlib.ExitStack() as stack:
        settings = MonitorSettings(listen=f"127.0.0.1:{port}")
        sink = stack.enter_context(metrics_sink(tmp_path, settings))
        assert sink is not None
        # The values are of now, on this machine's own clock.
        boot = time.clock_gettime(time.CLOCK_BOOTTIME)
        slices = [
            on_h100(9, 42, sampled_s=boot, memory_mib=1000.0),
            on_h100(10, 43, sampled_s=boot, memory_mib=2000.0, processes=()),
            whole_a100(44, sampled_s=boot),
        ]
        seen = snapshot(*slices, taken_s=time.time(), boottime_s=boot, period_s=60.0)
        sink(seen)
        server = stack.enter_context(serving(tmp_path / "server", port))
        assert server.becomes("count(slurm_mig_slice_allocated)", 4), server.words()

        assert server.value("sum(slurm_mig_slice_allocated)") == 3
        assert server.value('slurm_mig_slice_memory_used_bytes{hpc_job="43"}') == 2000 * 2**20
        assert server.value("slurm_mig_slice_sm_activity_ratio{hpc_job='42'}") == 0.4
        assert server.value("sum(slurm_mig_gpu_power_watts)") == 550.5  # each GPU's, once
        assert server.value("slurm_mig_gpu_energy_joules_total") == 1e6
        age = server.value("max(time() - slurm_mig_slice_sample_timestamp_seconds)")
        assert age is not None
        assert -5 < age < 120

        # With a line of NVIDIA's exporter, as it writes them, no relabelling is needed.
        dcgm = f'label_replace(vector(0.7), "UUID", "{H100}", "", "")'
        for label, text in (("GPU_I_ID", "9"), ("GPU_I_PROFILE", "1g.10gb"), ("hpc_job", "42")):
            dcgm = f'label_replace({dcgm}, "{label}", "{text}", "", "")'
        joined = f"{dcgm} * on (UUID, GPU_I_ID, hpc_job) group_left (mig_uuid) "
        ((labels, value),) = server.query(joined + "slurm_mig_slice_allocated")
        assert (labels["mig_uuid"], value) == ("MIG-9", 0.7)

        answers = {title: server.query(asked) for title, asked in board.expressions(board.load())}
        silent = {title for title, rows in answers.items() if not rows}
        # What has not happened, and what takes two scrapes of a change.
        assert silent <= {"Xid errors of slices", "Drift", *_RATES}
        assert answers["Slices held"][0][1] == 3
        assert answers["Slices free"][0][1] == 1
        assert answers["Idle holders"][0][1] == 1
        assert {row["hpc_job"] for row, _ in answers["Memory in use"]} == {"42", "43", "44"}
        whose = {row["slice"] for row, _ in answers["Who holds what now"]}
        assert whose == {"gpu1.gi9.ci0", "gpu1.gi10.ci0", "gpu0"}

        assert server.becomes('count(ALERTS{alertname="SlurmMigIdleHolder"})', 1)
        rules = server.ask("rules")["groups"][0]["rules"]
        assert [rule["name"] for rule in rules if rule["health"] == "err"] == []

        # The jobs end: their lines go, and nothing is told of them any more.
        sink(seen._replace(slices=(), jobs=JOBS[:0], state="asleep"))
        assert server.becomes("sum(slurm_mig_slice_allocated)", 0)
        assert server.query("slurm_mig_slice_memory_used_bytes") == []
        assert server.value('slurm_mig_monitor_state{state="asleep"}') == 1


_RATES = {
    "Leftover processes, 24 h", "Leftover processes", "Power, estimated", "The monitor",
    "Isolation and repartitioning",
}  # fmt: skip
