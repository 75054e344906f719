"""Records that no job made, valid unless a test says otherwise."""

import json
from pathlib import Path
from typing import Any

from slurm_mig.usage.store.collect import Collected, collect
from slurm_mig.usage.store.database import Store

ACTIVITIES = (
    "graphics", "sm", "occupancy", "tensor", "fp64", "fp32", "fp16", "dram_bandwidth",
)  # fmt: skip


def usage(**changes: Any) -> dict[str, Any]:
    """What was sampled on a slice."""
    return {
        "source": "monitor",
        "period_s": 5.0,
        "samples": 720,
        "sampled_s": 3600.0,
        "coverage": 1.0,
        "gaps": 0,
        "gap_s": 0.0,
        "memory": memory(5000.0),
        "processes": {"method": "nvml-processes", "mean": 1.0, "peak": 2},
        "activity": activity(0.5),
        "energy": {
            "method": "gpu-energy-by-slices",
            "estimate": True,
            "share": 0.142857,
            "joules": 7200.0,
        },
        "errors": {
            "xids": [
                {"xid": 31, "count": 2, "attributed": True},
                {"xid": 43, "count": 1, "attributed": False},
            ],
            "ecc_sram_uncorrected": 0,
        },
        **changes,
    }


def memory(peak: float) -> dict[str, Any]:
    """With a mean of half the peak."""
    return {
        "method": "nvml-memory-info",
        "min_mib": 26.0,
        "mean_mib": peak / 2,
        "peak_mib": peak,
    }


def activity(mean: float, *, shared_gi: bool = False, sampled_s: float = 3600.0) -> dict[str, Any]:
    """The same mean of everything."""
    measured = {"min": 0.0, "mean": mean, "max": 1.0}
    return {
        "method": "gpm-gi",
        "shared_gi": shared_gi,
        "sampled_s": sampled_s,
        **dict.fromkeys(ACTIVITIES, measured),
    }


def slice_(**changes: Any) -> dict[str, Any]:
    """A slice of an H100, sampled."""
    return {
        "gpu_uuid": "GPU-1fc4a36f-0679-58e6-9451-2989636e0b43",
        "gpu_minor": 0,
        "gpu_name": "NVIDIA H100 80GB HBM3",
        "type": "h100_1g.10gb",
        "gres_index": 1,
        "gi_id": 9,
        "ci_id": 0,
        "profile": "1g.10gb",
        "placement": {"start": 4, "size": 1},
        "mig_uuid": "MIG-4fcc5ffb-2005-552c-9973-a5d09fb8d11d",
        "memory_mib": 10000,
        "sm_count": 16,
        "boot_id": "11111111-2222-3333-4444-555555555555",
        "generation": 0,
        "repartitioned": False,
        "usage": usage(),
        **changes,
    }


def record(number: int = 1, **changes: Any) -> dict[str, Any]:
    """The record of job `number`, which ran one hour on the first day of 1970."""
    return {
        "version": 1,
        "record_id": f"{number:024x}",
        "job_id": number,
        "restarts": 0,
        "uid": 1001,
        "user": "ada",
        "account": "physics",
        "partition": "main",
        "cluster": "c",
        "node": "n1",
        "start": 1000.0,
        "end": 4600.0,
        "duration_s": 3600.0,
        "exit_code": 0,
        "signal": 0,
        "exit_unknown_why": None,
        "slices": [slice_()],
        "complete": True,
        "leftovers": 0,
        "device_check": None,
        "power": [],
        **changes,
    }


def line(number: int = 1, **changes: Any) -> bytes:
    """The same as a file has it."""
    return json.dumps(record(number, **changes), separators=(",", ":")).encode() + b"\n"


def stored(store: Store, folder: Path, *records: dict[str, Any]) -> Collected:
    """Put records into a file and collect it."""
    file = folder / "made.jsonl"
    with file.open("a") as out:
        out.writelines(json.dumps(one, separators=(",", ":")) + "\n" for one in records)
    return collect(store, [file])
