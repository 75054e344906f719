"""Records made up for reports, by the functions that make the real ones."""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slurm_mig.usage import record
from slurm_mig.usage.report.job import JobUsage, jobs
from slurm_mig.usage.store.curves import curves_of
from slurm_mig.usage.store.nouns import Held
from slurm_mig.usage.store.shape import parse

START = 1_763_632_800.0  # 2025-11-20 10:00:00 UTC
H100, A100 = "NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-40GB"
MEMORY = {
    "1g.10gb": 9984, "1g.10gb+me": 9984, "2g.20gb": 20096, "3g.40gb": 40448, "7g.80gb": 81152,
    "1g.5gb": 4864, "3g.20gb": 19968, "4g.20gb": 19968, "1c.3g.40gb": 40448,
}  # fmt: skip
_numbers = itertools.count(1)

Tree = dict[str, Any]


def measure(low: float, mean: float, high: float) -> Tree:
    return {"min": low, "mean": mean, "max": high}


def activity(sm: float, bandwidth: float = 0.1, *, shared: bool = False) -> Tree:
    """What a Hopper tells, of which only the SMs and the memory bandwidth matter here."""
    names = ("graphics", "sm", "occupancy", "tensor", "fp64", "fp32", "fp16")
    same = measure(0.0, sm, min(1.0, sm * 2))
    return {
        "method": "gpm-gi",
        "shared_gi": shared,
        "sampled_s": 590.0,
        **dict.fromkeys(names, same),
        "fp64": None,
        "dram_bandwidth": measure(0.0, bandwidth, min(1.0, bandwidth * 2)),
    }


def sampled(peak_mib: float, **changes: Any) -> Tree:
    """A slice's usage: sampled all the time of ten minutes, on a GPU that tells no activity."""
    return {
        "source": "monitor",
        "period_s": 5.0,
        "samples": 120,
        "sampled_s": 600.0,
        "coverage": 1.0,
        "gaps": 0,
        "gap_s": 0.0,
        "memory": {
            "method": "nvml-memory-info",
            "min_mib": min(9.0, peak_mib / 2),
            "mean_mib": peak_mib / 2,
            "peak_mib": peak_mib,
        },
        "processes": {"method": "nvml-processes", "mean": 1.0, "peak": 2},
        "activity": None,
        "energy": {
            "method": "gpu-energy-by-slices",
            "estimate": True,
            "share": 3 / 7,
            "joules": 72_000.0,
        },
        "errors": {"xids": [], "ecc_sram_uncorrected": 0},
        **changes,
    }


def curve(memory_mib: Sequence[float | None], busy: Sequence[float | None] | None) -> Tree:
    """How those ten minutes went, in steps of 20 s."""
    return {
        "from_s": 0.4,
        "bucket_s": 20.0,
        "memory_peak_mib": list(memory_mib),
        "sm_mean": None if busy is None else list(busy),
    }


def one_slice(profile: str | None, usage: Tree | None, gpu: str = H100, **changes: Any) -> Tree:
    mig = {
        "uuid": f"MIG-{profile}",
        "profile": profile,
        "gi_id": 2,
        "ci_id": 0,
        "placement": {"start": 0, "size": 4},
        "memory_mib": MEMORY.get(profile or ""),
        "sm_count": 60,
    }
    entry: record.Record = {
        "gres_index": 0,
        "type": profile or "h100",
        "gpu_uuid": "GPU-0",
        "gpu_minor": 0,
        "gpu_name": gpu,
        "mig": None if profile is None else mig,
    }
    return {**record.slice_identity(entry, "boot", 0), "usage": usage, **changes}


def one_record(*slices: Tree, **changes: Any) -> Tree:
    """A closed record of alice's job 4242, ten minutes long; `changes` are its own fields."""
    job: record.Record = {
        "job_id": 4242,
        "restarts": 0,
        "uid": 1001,
        "user": "alice",
        "account": "physics",
        "partition": "main",
        "cluster": "simulated",
        "node": "n1",
    }
    begun = record.opened(
        f"r{next(_numbers)}", job, list(slices), start=changes.get("start", START), complete=True
    )
    done = record.closed(
        begun,
        end=START + 600,
        duration_s=600.0,
        exit_code=0,
        signal=0,
        exit_unknown_why=None,
        repartitioned=[False] * len(slices),
        leftovers=0,
    )
    return {**done, "device_check": None, "power": [], **changes}


def rows(*records: Tree) -> list[Held]:
    """What reports read of these records."""
    return [row for one in records for row in parse(line(one)).held()]


def job_usages(*records: Tree) -> tuple[JobUsage, ...]:
    """The jobs of these records, with their curves."""
    curves = {place: one for each in records for place, one in curves_of(line(each)).items()}
    return jobs(rows(*records), curves)


def line(one: Tree) -> bytes:
    """As hooks write it."""
    return json.dumps(one, separators=(",", ":")).encode()


def write(path: Path, *records: Tree) -> Path:
    """A file of records."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(line(one) + b"\n" for one in records))
    return path
