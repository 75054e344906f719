"""What the tasks of a job reach: the probe, run by a real srun."""

import json
from dataclasses import dataclass
from typing import Any

from tests.cluster.cluster import Cluster

PROBE = ("/usr/bin/python3", "-I", "-S", "/run/checkout/tests/cluster/probe.py")
ALLOWED = ("open", "ENXIO")  # ENXIO: allowed, but there is no driver behind a simulated node


@dataclass(frozen=True, slots=True)
class Reach:
    """One task: the node it ran on, the device files it may open, and those it may not.

    `told` holds the variables that Slurm set for it (SLURM_STEP_GPUS and the like).
    """

    node: str
    allowed: frozenset[str]
    refused: frozenset[str]
    told: dict[str, str]
    live: frozenset[str] = frozenset()  # the caps that something is behind


def of_job(cluster: Cluster, *options: str) -> list[Reach]:
    """Run a job with these options of srun; what each of its tasks reaches."""
    return parse(cluster.srun(*options, *PROBE))


def parse(output: str) -> list[Reach]:
    """Read what probes printed, one JSON object a line."""
    found = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [_reach(answer) for answer in found]


def _reach(answer: dict[str, Any]) -> Reach:
    host, devices = answer["host"], answer["devices"]
    allowed = frozenset(path for path, said in devices.items() if said in ALLOWED)
    refused = frozenset(path for path, said in devices.items() if said in ("EPERM", "EACCES"))
    odd = devices.keys() - allowed - refused
    if odd:
        raise ValueError(f"neither allowed nor refused on {host}: {sorted(odd)}")
    return Reach(host, allowed, refused, answer["told"], frozenset(answer.get("live", ())))
