"""Usage records of every kind, made up and valid."""

import base64
import json
import zlib
from typing import Any

from slurm_mig.usage.jobstats.parts import JobPart, parts_of
from slurm_mig.usage.store.shape import parse

Record = dict[str, Any]

# Written by a monitor of version 1: slices (0, 9, 0) and a whole GPU 1, each sampled three times
# in 10 s from 500 s on, with 1000, 2000 and 3000 MiB (1 more on the GPU), half busy.
_VERSION_1 = """
eNpjYGBwCA0JdmSAAAcGhga9FQVXkfjItAiMjwMoocvj1zehHir+wR67eSIE5GGAkDzUHQXLUd3jsxdCO/RD6flo/oWZC3MH
iwN2e2H0AxzqH6DJj6qnrvqhDuDpaD8qTa38w+BAlfxTgpZ/AqH5xwOaf1xG889o/hlO+ZEqAKl+5QCF/2Ed7QNUql85oHwV
7PoeECofVKhUv0LdUbAd1T0dl1HrV3j9y+GA3f0qONoP6OWJClp4YaTnUfXUVT9M61dq5R9K61eoO4pR809D12XU+rVoNP+M
5p/R+hUZAAACH+Y8
"""


def handed_over_1() -> bytes:
    """That file."""
    return zlib.decompress(base64.b64decode(_VERSION_1))


def mean(value: float | None) -> Record | None:
    return None if value is None else {"min": 0.0, "mean": value, "max": min(1.0, 2 * value)}


def sampled(
    *, peak_mib: float | None = 3100.5, busy: float | None = 0.25, shared_gi: bool = False
) -> Record:
    """A slice's `usage`: of Hopper where `busy` is given, else of Ampere."""
    rest = ("sm", "occupancy", "tensor", "fp64", "fp32", "fp16", "dram_bandwidth")
    memory = {
        "method": "nvml-memory-info",
        "min_mib": 15.0,
        "mean_mib": 900.0,
        "peak_mib": peak_mib,
    }
    activity = {
        "method": "gpm-gi",
        "shared_gi": shared_gi,
        "sampled_s": 90.0,
        "graphics": mean(busy),
        **dict.fromkeys(rest),
    }
    return {
        "source": "monitor",
        "period_s": 5.0,
        "samples": 19,
        "sampled_s": 95.0,
        "coverage": 0.95,
        "gaps": 0,
        "gap_s": 0.0,
        "memory": None if peak_mib is None else memory,
        "processes": {"method": "nvml-processes", "mean": 1.0, "peak": 1},
        "activity": None if busy is None else activity,
        "energy": {
            "method": "gpu-energy-by-slices",
            "estimate": True,
            "share": 1 / 7,
            "joules": 1000.0,
        },
        "errors": {"xids": [], "ecc_sram_uncorrected": 0},
    }


def mig(minor: int, gi_id: int, ci_id: int = 0, **usage: Any) -> Record:
    """A slice of a record; with usage=None nothing was sampled."""
    seen = None if usage.get("usage", True) is None else sampled(**usage)
    return {
        "gpu_uuid": f"GPU-{minor}",
        "gpu_minor": minor,
        "gpu_name": "NVIDIA H100 80GB HBM3",
        "type": "1g.10gb",
        "gres_index": gi_id,
        "gi_id": gi_id,
        "ci_id": ci_id,
        "profile": "1g.10gb",
        "placement": {"start": 0, "size": 1},
        "mig_uuid": f"MIG-{minor}-{gi_id}-{ci_id}",
        "memory_mib": 9728,
        "sm_count": 16,
        "boot_id": "boot",
        "generation": 0,
        "repartitioned": False,
        "usage": seen,
    }


def whole(minor: int, **usage: Any) -> Record:
    """A whole GPU of a record."""
    nothing = ("gi_id", "ci_id", "profile", "placement", "mig_uuid", "memory_mib", "sm_count")
    return {**mig(minor, 0, **usage), **dict.fromkeys(nothing)}


def record(job_id: int, *slices: Record, node: str | None = "n1", **changes: Any) -> Record:
    """The record of a job on one node, from second 1000 to 1100."""
    return {
        "version": 1,
        "record_id": f"{node}-{job_id}",
        "job_id": job_id,
        "restarts": 0,
        "uid": 1001,
        "user": "ada",
        "account": "lab",
        "partition": "main",
        "cluster": "simulated",
        "node": node,
        "start": 1000.0,
        "end": 1100.0,
        "duration_s": 100.0,
        "exit_code": 0,
        "signal": 0,
        "exit_unknown_why": None,
        "slices": list(slices),
        "complete": True,
        "leftovers": 0,
        "device_check": None,
        "power": [],
        **changes,
    }


def part(made: Record) -> JobPart:
    """What jobstats' comment takes of a record, by the way that it comes from a file."""
    (found,) = parts_of(parse(json.dumps(made).encode()).held())
    return found
