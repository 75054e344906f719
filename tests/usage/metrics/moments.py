"""Snapshots of a node with two GPUs, and what Prometheus is told of them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from slurm_mig.usage.metrics.exposition import Exposition
from slurm_mig.usage.monitor.snapshot import (
    SAMPLING,
    ActivityNow,
    GpuNow,
    JobNow,
    ProcessNow,
    SliceNow,
    Snapshot,
)

H100, A100 = "GPU-aaaa", "GPU-bbbb"
NOW = 5000.0  # CLOCK_BOOTTIME
BUSY = ActivityNow(0.5, 0.4, 0.3, 0.2, 0.0, 0.1, None, 0.25)
GPUS = (
    GpuNow(0, 1, H100, "NVIDIA H100 80GB HBM3", 350.5, 1e6, 7),
    GpuNow(1, 0, A100, "NVIDIA A100-SXM4-40GB", 200.0, None, 7),
)
JOBS = (
    JobNow(42, "r42", 1001, "ada", "lab", "main", 1_700_000_000.0),
    JobNow(43, "r43", 1002, "bob", None, None, None),
)

Labels = dict[str, str]


def on_h100(gi_id: int, job_id: int = 42, **changes: Any) -> SliceNow:
    """A slice of the first GPU, just sampled."""
    one = SliceNow(
        name=f"gpu1.gi{gi_id}.ci0",
        gpu_uuid=H100,
        gpu_minor=1,
        gpu_name="NVIDIA H100 80GB HBM3",
        gi_id=gi_id,
        ci_id=0,
        profile="1g.10gb",
        type="h100_1g.10gb",
        gres_index=gi_id,
        mig_uuid=f"MIG-{gi_id}",
        memory_total_mib=9728,
        job_id=job_id,
        sampled_s=NOW - 1,
        memory_mib=1024.0,
        memory_method="nvml-memory-info",
        processes=(ProcessNow(7, 9, 1000.0, None),),
        activity=BUSY,
        shared_gi=False,
        sram_uncorrected=0,
        energy_j=12.5,
    )
    return one._replace(**changes)


def whole_a100(job_id: int = 43, **changes: Any) -> SliceNow:
    """The second GPU, not cut."""
    one = on_h100(0, job_id)._replace(
        name="gpu0",
        gpu_uuid=A100,
        gpu_minor=0,
        gi_id=None,
        ci_id=None,
        profile=None,
        mig_uuid=None,
        memory_total_mib=40960,
        activity=None,
    )
    return one._replace(**changes)


def snapshot(*slices: SliceNow, **changes: Any) -> Snapshot:
    """A round of a second ago, with these slices."""
    found = Snapshot(
        taken_s=1_700_000_100.0,
        boottime_s=NOW - 1,
        node="n1",
        period_s=5.0,
        state=SAMPLING,
        rounds=9,
        failures=1,
        round_s=0.01,
        gpus=GPUS,
        jobs=JOBS,
        slices=slices,
    )
    return found._replace(**changes)


class Told:
    """What Prometheus reads in a text: by name, rows of labels and value."""

    def __init__(self, text: bytes) -> None:
        self.text = text.decode()
        self.rows: dict[str, list[tuple[Labels, float]]] = {}
        for family in text_string_to_metric_families(self.text):
            for sample in family.samples:
                labels = {key: value for key, value in sample.labels.items() if value}
                self.rows.setdefault(sample.name, []).append((labels, sample.value))

    def value(self, name: str, **labels: str) -> float | None:
        """Of the one row that has these labels; None where there is none."""
        rows = self.rows.get(f"slurm_mig_{name}", [])
        found = [value for has, value in rows if labels.items() <= has.items()]
        assert len(found) < 2, (name, rows)
        return found[0] if found else None

    def labels(self, name: str) -> list[Labels]:
        return [labels for labels, _ in self.rows.get(f"slurm_mig_{name}", [])]


def exposition(root: Path, now_s: float = NOW, *, users: bool = False) -> Exposition:
    return Exposition(root, users=users, boottime_s=lambda: now_s)


def told(root: Path, seen: Snapshot | None, now_s: float = NOW, *, users: bool = False) -> Told:
    """What is shown of a snapshot on the node below `root`."""
    made = exposition(root, now_s, users=users)
    made.latest = seen
    return Told(made.text())


def write_map(root: Path, slices: Iterable[dict[str, Any]], **changes: Any) -> Path:
    """A gres map of this boot below `root`."""
    boot = root / "proc/sys/kernel/random/boot_id"
    boot.parent.mkdir(parents=True, exist_ok=True)
    boot.write_text("boot-1\n")
    folder = root / "run/slurm-mig"
    folder.mkdir(parents=True, exist_ok=True)
    made = {
        **{"version": 1, "node": "n1", "boot_id": "boot-1", "generation": 0},
        **{"gres_conf": None, "gres": list(slices)},
        **changes,
    }
    (folder / "gres-map.json").write_text(json.dumps(made))
    return folder / "gres-map.json"


def entry(gres_index: int, gi_id: int | None, gpu: int = 0) -> dict[str, Any]:
    """A slice, or whole GPU, of the map."""
    uuid = (H100, A100)[gpu]
    mig = {"uuid": f"MIG-{gi_id}", "profile": "1g.10gb", "gi_id": gi_id, "ci_id": 0}
    return {
        "gres_index": gres_index,
        "type": "h100_1g.10gb",
        "gpu_index": gpu,
        "gpu_minor": 1 - gpu,
        "gpu_uuid": uuid,
        "gpu_name": "NVIDIA H100 80GB HBM3",
        "mig": None if gi_id is None else {**mig, "memory_mib": 9728, "sm_count": 16},
    }
