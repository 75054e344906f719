"""The text that the jobstats command keeps in a job's AdminComment, made and read. Pure.

"JS1:" and base64 of gzip of JSON: {"nodes": {node: figures}, "total_time": s, "gpus": n}. The
figures of a node are total_memory, used_memory, total_time and cpus of the host, and by GPU
gpu_total_memory, gpu_used_memory (bytes, the peak) and gpu_utilization (percent, the mean).
(Source: jobstats dfc9aa0, jobstats.py: __str__, report_job_json, parse_stats.)
"""

import base64
import binascii
import gzip
import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from slurm_mig.slurm.controller.accounting import HostFigures
from slurm_mig.usage.jobstats.parts import GpuPart, JobPart

PREFIX = "JS1:"
LONGEST = 5000  # of jobstats' own comments the longest are about this (docs/setup/summaries.md)
_LARGEST = 4 << 20  # of the JSON in a comment that somebody else wrote
GPU_KEYS = ("gpu_total_memory", "gpu_used_memory", "gpu_utilization")
# The JSON's name, and that of the field of HostFigures.
_HOST_KEYS = {
    "total_memory": "memory_bytes",
    "used_memory": "used_memory_bytes",
    "total_time": "cpu_time_s",
    "cpus": "cpus",
}

Blob = dict[str, Any]


def summary(parts: Iterable[JobPart], duration_s: float, host: HostFigures | None) -> Blob:
    """A job's figures; `host` are those of its only node. What is unknown is left out."""
    ordered = sorted(parts, key=lambda part: part.node)
    nodes = {part.node: {**_host(host), **_gpus(part.gpus)} for part in ordered}
    count = sum(len(part.gpus) for part in ordered)
    return {"nodes": nodes, "total_time": round(duration_s), "gpus": count}


def has_gpu_figures(made: Blob) -> bool:
    """Whether anything in it is of a GPU."""
    return any(key in node for node in made["nodes"].values() for key in GPU_KEYS)


def has_host_figures(made: Blob) -> bool:
    """Whether jobstats can print its page: without the host's figures it ends with a TypeError.

    Its --json, and others who read the comment, need none.
    """
    return all(key in node for node in made["nodes"].values() for key in _HOST_KEYS)


def merged(old: Blob, new: Blob) -> Blob:
    """`new`, with what only `old` knows: the host's figures, and nodes that left no record."""
    nodes = {name: dict(figures) for name, figures in old["nodes"].items()}
    for name, figures in new["nodes"].items():
        kept = nodes.get(name, {})
        if any(key in figures for key in GPU_KEYS):
            kept = {key: value for key, value in kept.items() if key not in GPU_KEYS}
        nodes[name] = {**figures, **kept}
    return {**old, "nodes": nodes}


def encode(made: Blob) -> str:
    """The comment."""
    data = json.dumps(made, separators=(",", ":")).encode("ascii")
    return PREFIX + base64.b64encode(gzip.compress(data, mtime=0)).decode("ascii")


def decode(comment: str) -> Blob | None:
    """What a comment says; None where it is none of jobstats', or is damaged."""
    try:
        packed = base64.b64decode(comment.removeprefix(PREFIX), validate=True)
        found = json.loads(_unpack(packed))
    except (binascii.Error, zlib.error, ValueError, RecursionError):
        return None
    nodes = found.get("nodes") if isinstance(found, dict) else None
    whole = isinstance(nodes, dict) and all(isinstance(node, dict) for node in nodes.values())
    return found if whole and comment.startswith(PREFIX) else None


def _unpack(packed: bytes) -> bytes:
    """Of gzip, but no more than a comment can mean: its size says nothing of what comes out."""
    unpacking = zlib.decompressobj(wbits=31)
    data = unpacking.decompress(packed, _LARGEST)
    if not unpacking.eof:
        raise ValueError("cut off, or too large")
    return data


def _host(host: HostFigures | None) -> dict[str, int | float]:
    if host is None:
        return {}
    known: Mapping[str, int | float | None] = host._asdict()
    values = ((key, known[field]) for key, field in _HOST_KEYS.items())
    return {key: _short(value) for key, value in values if value is not None}


def _gpus(gpus: tuple[GpuPart, ...]) -> dict[str, dict[str, int | float]]:
    total: dict[str, int | float] = {}
    used: dict[str, int | float] = {}
    busy: dict[str, int | float] = {}
    for gpu in gpus:
        key = _key(gpu, gpus)
        # Both or none: jobstats looks every GPU that has a total up among the used.
        if gpu.total_bytes is not None and gpu.peak_bytes is not None:
            total[key], used[key] = gpu.total_bytes, gpu.peak_bytes
        if gpu.busy is not None:
            busy[key] = _short(100 * gpu.busy)
    found = dict(zip(GPU_KEYS, (total, used, busy), strict=True))
    return {key: values for key, values in found.items() if values}


def _key(gpu: GpuPart, others: tuple[GpuPart, ...]) -> str:
    """The GPU's minor, minor.GI of a slice, minor.GI.CI where the job has several in one GI.

    jobstats' own key, the minor, is the same for all slices of a GPU. UUIDs would be too long:
    they do not compress.
    """
    if gpu.gi_id is None:
        return f"{gpu.gpu_minor}"
    place = (gpu.gpu_minor, gpu.gi_id)
    shared = sum((other.gpu_minor, other.gi_id) == place for other in others) > 1
    return f"{gpu.gpu_minor}.{gpu.gi_id}" + (f".{gpu.ci_id}" if shared else "")


def _short(value: float) -> int | float:
    """As jobstats rounds."""
    rounded = round(value, 1)
    return int(rounded) if rounded == int(rounded) else rounded
