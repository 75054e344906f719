"""What the jobstats command makes of an AdminComment (its parse_stats, in our own words).

It takes gzip of JSON in base64 behind "JS1:", goes over the nodes, and looks every GPU that has
a total up among the used: one that is missing there ends it.
"""

import base64
import gzip
import json
from typing import Any, NamedTuple


class Shown(NamedTuple):
    """What it would print: (node, GPU, value, ...). None: "Value is unknown"."""

    memory: list[tuple[str, str, int, int]] | None
    utilization: list[tuple[str, str, float]] | None
    cpu: list[tuple[str, float, int]] | None
    host_memory: list[tuple[str, int, int]] | None


def read(comment: str) -> Shown:
    """As the command reads it."""
    assert comment.startswith("JS1:")
    assert len(comment) > 10
    nodes = json.loads(gzip.decompress(base64.b64decode(comment[4:])))["nodes"]
    return Shown(_memory(nodes), _utilization(nodes), _cpu(nodes), _host_memory(nodes))


def _memory(nodes: dict[str, Any]) -> list[tuple[str, str, int, int]] | None:
    found = []
    for name, node in nodes.items():
        if "gpu_used_memory" not in node or "gpu_total_memory" not in node:
            return None
        for gpu in sorted(node["gpu_total_memory"]):
            found.append((name, gpu, node["gpu_used_memory"][gpu], node["gpu_total_memory"][gpu]))
    return found


def _utilization(nodes: dict[str, Any]) -> list[tuple[str, str, float]] | None:
    found = []
    for name, node in nodes.items():
        if "gpu_utilization" not in node:
            return None
        found += [
            (name, gpu, node["gpu_utilization"][gpu]) for gpu in sorted(node["gpu_utilization"])
        ]
    return found


def _cpu(nodes: dict[str, Any]) -> list[tuple[str, float, int]] | None:
    if not all("total_time" in node and "cpus" in node for node in nodes.values()):
        return None
    return [(name, node["total_time"], node["cpus"]) for name, node in nodes.items()]


def _host_memory(nodes: dict[str, Any]) -> list[tuple[str, int, int]] | None:
    keys = {"used_memory", "total_memory", "cpus"}
    if not all(keys <= node.keys() for node in nodes.values()):
        return None
    return [(name, node["used_memory"], node["total_memory"]) for name, node in nodes.items()]
