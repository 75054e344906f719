"""Which instances there are, as the driver shows it below /proc: no GPU and no NVML is asked."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from slurm_mig.gpu.driver.names import CAPABILITIES
from slurm_mig.usage.metrics.drift import Instance

_GPU, _GI, _CI = (re.compile(f"{kind}([0-9]{{1,8}})") for kind in ("gpu", "gi", "ci"))


def live(root: Path) -> frozenset[Instance] | None:
    """Every compute instance; None where the driver shows nothing, or not to us."""
    try:
        return frozenset(_instances(f"{root}{CAPABILITIES}"))
    except OSError:
        return None


def _instances(folder: str) -> Iterator[Instance]:
    for gpu, name in _numbered(folder, _GPU):
        try:
            found = list(_numbered(f"{folder}/{name}/mig", _GI))
        except FileNotFoundError:  # no MIG here
            continue
        for gi, inner in found:
            for ci, _ in _numbered(f"{folder}/{name}/mig/{inner}", _CI):
                yield gpu, gi, ci


def _numbered(folder: str, kind: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    for name in os.listdir(folder):  # noqa: PTH208 (bare: it is done at every scrape)
        if match := kind.fullmatch(name):
            yield int(match[1]), name
