"""What is told of slices, jobs and GPUs."""

from pathlib import Path
from typing import Any

from tests.usage.metrics.moments import (
    BUSY,
    H100,
    NOW,
    entry,
    on_h100,
    snapshot,
    told,
    whole_a100,
    write_map,
)

MINE = {
    **{"gpu": "0", "UUID": H100, "GPU_I_ID": "9", "GPU_I_PROFILE": "1g.10gb"},
    **{"mig_uuid": "MIG-9", "hpc_job": "42"},
}


def test_a_slice_has_the_labels_of_the_dcgm_exporter(tmp_path: Path) -> None:
    seen = told(tmp_path, snapshot(on_h100(9)))
    assert seen.labels("slice_memory_used_bytes") == [MINE]
    assert seen.value("slice_memory_used_bytes") == 1 << 30
    assert seen.value("slice_memory_total_bytes") == 9728 << 20
    assert seen.value("slice_processes") == 1
    assert seen.value("slice_allocated") == 1
    assert seen.value("slice_energy_estimate_joules_total") == 12.5
    assert seen.value("slice_sample_timestamp_seconds") == 1_700_000_100.0
    assert seen.value("slice_gone") == 0
    for metric in ("slice_energy_estimate_joules_total", "slice_sm_activity_ratio"):
        assert seen.labels(metric) == [MINE]


def test_activity_is_a_ratio_and_what_is_unknown_is_not_there(tmp_path: Path) -> None:
    seen = told(tmp_path, snapshot(on_h100(9), whole_a100()))
    assert seen.value("slice_graphics_activity_ratio") == BUSY.graphics
    assert seen.value("slice_sm_occupancy_ratio") == BUSY.occupancy
    assert seen.value("slice_dram_bandwidth_ratio") == BUSY.dram_bandwidth
    assert seen.value("slice_fp64_activity_ratio") == 0
    assert "slurm_mig_slice_fp16_activity_ratio" not in seen.text
    for name in ("memory_mib", "processes", "energy_j", "sram_uncorrected", "activity"):
        unknown: dict[str, Any] = {name: None}
        nothing = told(tmp_path, snapshot(on_h100(9, **unknown)))
        assert len(nothing.rows) < len(seen.rows), name


def test_a_whole_gpu_has_no_instance(tmp_path: Path) -> None:
    seen = told(tmp_path, snapshot(whole_a100()))
    (labels,) = seen.labels("slice_allocated")
    assert labels == {"gpu": "1", "UUID": "GPU-bbbb", "hpc_job": "43"}
    (info,) = seen.labels("slice_info")
    assert (info["slice"], info["device"]) == ("gpu0", "nvidia0")


def test_power_is_told_once_a_gpu_and_of_no_slice(tmp_path: Path) -> None:
    seen = told(tmp_path, snapshot(on_h100(9), on_h100(10), on_h100(11)))
    rows = seen.rows["slurm_mig_gpu_power_watts"]
    assert rows == [
        ({"gpu": "0", "UUID": H100}, 350.5),
        ({"gpu": "1", "UUID": "GPU-bbbb"}, 200.0),
    ]
    assert seen.rows["slurm_mig_gpu_energy_joules_total"] == [({"gpu": "0", "UUID": H100}, 1e6)]


def test_values_that_are_old_are_not_shown_as_if_they_were_now(tmp_path: Path) -> None:
    seen = told(tmp_path, snapshot(on_h100(9)), now_s=NOW + 60)
    assert seen.value("slice_memory_used_bytes") is None
    assert seen.value("slice_processes") is None
    assert seen.value("slice_sm_activity_ratio") is None
    assert "slurm_mig_gpu_power_watts" not in seen.rows
    # What is a sum, or says when, stays.
    assert seen.value("slice_energy_estimate_joules_total") == 12.5
    assert seen.value("slice_sample_timestamp_seconds") == 1_700_000_100.0
    assert seen.value("slice_allocated") == 1
    never = told(tmp_path, snapshot(on_h100(9, sampled_s=None, memory_mib=None)))
    assert never.value("slice_sample_timestamp_seconds") is None
    assert never.value("slice_allocated") == 1


def test_slices_that_share_an_instance_show_its_activity_once(tmp_path: Path) -> None:
    pair = [
        on_h100(9, job, ci_id=ci, shared_gi=True, profile="1c.2g.20gb", mig_uuid=f"MIG-9-{ci}")
        for ci, job in ((0, 42), (1, 43))
    ]
    seen = told(tmp_path, snapshot(*pair))
    assert seen.labels("slice_sm_activity_ratio") == [
        {"gpu": "0", "UUID": H100, "GPU_I_ID": "9", "GPU_I_PROFILE": "2g.20gb"}
    ]
    assert len(seen.labels("slice_memory_used_bytes")) == 2
    assert {row["hpc_job"] for row in seen.labels("slice_allocated")} == {"42", "43"}


def test_errors(tmp_path: Path) -> None:
    xids = ((31, 2, True), (79, 1, False))
    seen = told(tmp_path, snapshot(on_h100(9, xids=xids, sram_uncorrected=3)))
    assert seen.value("slice_xid_errors_total", xid="31", attributed="true") == 2
    assert seen.value("slice_xid_errors_total", xid="79", attributed="false") == 1
    (labels,) = seen.labels("slice_ecc_sram_uncorrected_errors_total")
    assert "hpc_job" not in labels  # the driver counts on when the slice's job changes


def test_free_slices_are_those_of_the_map_that_no_job_has(tmp_path: Path) -> None:
    write_map(tmp_path, [entry(0, 9), entry(1, 10), entry(2, None, gpu=1)])
    seen = told(tmp_path, snapshot(on_h100(9)))
    assert seen.value("slice_allocated", GPU_I_ID="9") == 1
    assert seen.value("slice_allocated", GPU_I_ID="10") == 0
    assert seen.value("slice_allocated", UUID="GPU-bbbb") == 0
    assert seen.value("slice_memory_total_bytes", GPU_I_ID="10") == 9728 << 20
    assert len(seen.labels("slice_info")) == 3
    assert {row["gpu"] for row in seen.labels("slice_info")} == {"0", "1"}


def test_whose_a_job_is_is_told_only_where_it_was_asked(tmp_path: Path) -> None:
    seen = told(tmp_path, snapshot(on_h100(9)))
    assert seen.labels("job_info") == [{"hpc_job": "42", "partition": "main"}, {"hpc_job": "43"}]
    assert "ada" not in seen.text
    asked = told(tmp_path, snapshot(on_h100(9)), users=True)
    assert asked.labels("job_info")[0] == {
        **{"hpc_job": "42", "partition": "main"},
        **{"user": "ada", "account": "lab"},
    }
    assert asked.value("job_start_timestamp_seconds") == 1_700_000_000.0


def test_a_gpu_that_nobody_numbered(tmp_path: Path) -> None:
    seen = told(tmp_path, snapshot(on_h100(9), gpus=()))
    (labels,) = seen.labels("slice_allocated")
    assert "gpu" not in labels


def test_there_are_no_more_lines_than_slices_and_jobs_account_for(tmp_path: Path) -> None:
    slices = [on_h100(number, 100 + number) for number in range(56)]
    write_map(tmp_path, [entry(number, number) for number in range(56)])
    seen = told(tmp_path, snapshot(*slices))
    for name, rows in seen.rows.items():
        assert len(rows) <= 56, name
    names = [name for name in seen.rows if name.startswith("slurm_mig_slice_")]
    assert len(names) <= 20
