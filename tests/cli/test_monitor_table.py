"""A snapshot as people see it."""

import io

from rich.console import Console

from slurm_mig.cli.monitor_table import show
from slurm_mig.usage.monitor.snapshot import (
    ActivityNow,
    GpuNow,
    JobNow,
    ProcessNow,
    SliceNow,
    Snapshot,
)

EMPTY = Snapshot(0.0, 0.0, "n1", 5.0, "sampling")
ACTIVITY = ActivityNow(0.5, 0.254, 0.1, None, 0.0, 0.0, 0.0, 0.6)
ONE = SliceNow(
    "gpu0.gi9.ci0", "GPU-0", 0, "H100", 9, 0, "1g.10gb", "1g", 1, "MIG-0", 9728, 7,
    sampled_s=1.0, memory_mib=1234.4, processes=(ProcessNow(1, 2, None, None),),
    activity=ACTIVITY, xids=((31, 2, True),),
)  # fmt: skip


def shown(snapshot: Snapshot) -> list[list[str]]:
    """Its lines, in words."""
    file = io.StringIO()
    show(snapshot, Console(file=file, width=500))
    return [line.split() for line in file.getvalue().splitlines()]


def test_no_job_is_said() -> None:
    assert shown(EMPTY) == [["no", "job", "holds", "a", "slice"]]


def test_what_is_known_and_what_is_not() -> None:
    unknown = ONE._replace(
        job_id=8, name="gpu1", profile=None, memory_mib=None, processes=None, activity=None,
        memory_total_mib=None, xids=(), gone=True,
    )  # fmt: skip
    jobs = (JobNow(7, "r", 1001, "ada[x]", None, None, None),)
    gpus = (
        GpuNow(0, 0, "GPU-0", "H100", 310.4, None, 7),
        GpuNow(1, 1, "GPU-1", "H100", None, None, 7),
    )
    _, first, second, watts, no_watts = shown(
        EMPTY._replace(slices=(ONE, unknown), jobs=jobs, gpus=gpus)
    )
    mine = ["7", "ada[x]", "gpu0.gi9.ci0", "1g.10gb", "1234", "9728", "1", "25%", "60%"]
    assert first == [*mine, "Xid", "31", "x2"]
    assert second == ["8", "?", "gpu1", "whole", "GPU", *["?"] * 5, "gone"]
    assert watts == ["gpu0:", "310", "W,", "all", "of", "it"]
    assert no_watts[1] == "?"
