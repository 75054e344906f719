"""Releases of Slurm and of the driver with known traps for slices. Pure.

Source: Slurm's CHANGELOG and NEWS, and its gpu/nvml plugin, by release.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from slurm_mig.doctor.facts import Facts
from slurm_mig.doctor.finding import Finding, Level
from slurm_mig.slurm.version import SlurmVersion

OLDEST_DRIVER = (470, 42, 1)


def _always(facts: Facts) -> bool:
    return True


def _autodetects(facts: Facts) -> bool:
    return facts.autodetects


def _minors_differ(facts: Facts) -> bool:
    gpus = facts.node.gpus if facts.node else ()
    return facts.autodetects and any(int(gpu.gpu_index) != int(gpu.gpu_minor) for gpu in gpus)


def _no_link(facts: Facts) -> bool:
    return facts.autodetects and facts.nvml_link is False


class _Trap(NamedTuple):
    """Releases from `first` to before `fixed`, where `matters` says so."""

    first: SlurmVersion
    fixed: SlurmVersion
    level: Level
    what: str
    remedy: str
    matters: Callable[[Facts], bool]


OFF = "gres.conf: AutoDetect=off, with the lines of `slurm-mig gen-gres`"
TRAPS = (
    _Trap(
        SlurmVersion(22, 5, 0),
        SlurmVersion(22, 5, 6),
        "wrong",
        "AutoDetect=nvml takes a GPU's NVML index for its minor, and here they differ: "
        "slices get others' device files",
        OFF,
        _minors_differ,
    ),
    _Trap(
        SlurmVersion(22, 5, 0),
        SlurmVersion(23, 2, 7),
        "risky",
        "AutoDetect=nvml invents links between slices: jobs on several slices are not placed "
        "well, and the order of SLURM_JOB_GPUS changes with 23.02.7",
        f"update Slurm; or {OFF}",
        _autodetects,
    ),
    _Trap(
        SlurmVersion(22, 5, 0),
        SlurmVersion(23, 2, 6),
        "note",
        "AutoDetect=nvml names slices by rounded memory (3g.39gb), 23.02.6 and later as NVML "
        "does (3g.40gb): an update changes the types",
        "",
        _autodetects,
    ),
    _Trap(
        SlurmVersion(23, 2, 2),
        SlurmVersion(23, 2, 4),
        "risky",
        "a change of Gres= is ignored even when slurmctld restarts",
        "update to Slurm 23.02.4 or later",
        _always,
    ),
    _Trap(
        SlurmVersion(22, 5, 0),
        SlurmVersion(23, 11, 4),
        "note",
        "srun --gpus-per-task tells every task of a job the same slice",
        "slurm-mig's TaskProlog tells each task its own",
        _autodetects,
    ),
    _Trap(
        SlurmVersion(22, 5, 0),
        SlurmVersion(24, 5, 5),
        "wrong",
        "AutoDetect=nvml opens libnvidia-ml.so, and there is only libnvidia-ml.so.1: "
        "it finds no GPU",
        "make the link libnvidia-ml.so beside libnvidia-ml.so.1",
        _no_link,
    ),
    _Trap(
        SlurmVersion(25, 11, 0),
        SlurmVersion(25, 11, 3),
        "risky",
        "`scontrol reconfigure` after a change of gres.conf can crash slurmctld",
        "update to Slurm 25.11.3 or later",
        _always,
    ),
)


def slurm_release(facts: Facts) -> Iterator[Finding]:
    """Traps of this release, as far as this node walks into them."""
    if facts.version is None:
        return
    for trap in TRAPS:
        if trap.first <= facts.version < trap.fixed and trap.matters(facts):
            yield Finding(trap.level, f"Slurm {facts.version}", trap.what, trap.remedy)


def nvml_plugin(facts: Facts) -> Iterator[Finding]:
    """AutoDetect=nvml in a Slurm that was built without NVML finds nothing, in silence."""
    if facts.autodetects and facts.nvml_plugin is False:
        what = "is nvml, but this Slurm has no gpu_nvml.so (Debian: slurm-wlm-nvml-plugin)"
        yield Finding("wrong", "AutoDetect", what, f"install the plugin; or {OFF}")
    if facts.autodetect == "nvidia" and facts.slices:
        what = "is nvidia, which does not see slices"
        yield Finding("wrong", "AutoDetect", what, OFF)


def driver(facts: Facts) -> Iterator[Finding]:
    """Old drivers name slices in another way."""
    if facts.node is None:
        return
    numbers = facts.node.driver_version.split(".")
    if all(number.isdigit() for number in numbers) and tuple(map(int, numbers)) < OLDEST_DRIVER:
        what = "names slices MIG-GPU-.../GI/CI, not by a UUID of their own"
        remedy = "update to driver 470.42.01 or later"
        yield Finding("risky", f"driver {facts.node.driver_version}", what, remedy)
