"""The wanted partitioning of a node, and what it means for the GPUs that are there. Pure.

A `MigConfig` is a file in mig-parted's format with our additions (docs/reconfigure.md): under
each label a list of entries, each of which names GPUs and says what they are to be.
"""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from slurm_mig.errors import Refused, UsageError
from slurm_mig.gpu.config.misfits import misfits
from slurm_mig.gpu.partitioning import LiveGpu, WantedGpu
from slurm_mig.model import GpuIndex

_PCI = re.compile(
    r"(?:(?P<domain>[0-9a-f]{1,8}):)?"
    r"(?P<bus>[0-9a-f]{2}):(?P<device>[0-9a-f]{2})\.(?P<function>[0-7])"
)
_UUID = re.compile(r"gpu-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class DeviceFilter(NamedTuple):
    """A model of GPU by its PCI numbers, as NVML packs them: device above, vendor below.

    Without `subsystem_id` every board with that chip matches.
    """

    device_id: int
    subsystem_id: int | None = None

    def matches(self, gpu: LiveGpu) -> bool:
        """Whether `gpu` is of that model."""
        same_board = self.subsystem_id in (None, gpu.pci_subsystem_id)
        return self.device_id == gpu.pci_device_id and same_board


class Devices(NamedTuple):
    """Which GPUs of the node: all; those that no other entry covers; by gpu_index; by name.

    A name is a UUID or a PCI address, in the form that `gpu_name` gives it.
    """

    kind: Literal["all", "others", "indices", "gpus"]
    indices: tuple[int, ...] = ()
    names: tuple[str, ...] = ()


class Entry(NamedTuple):
    """One item of a label's list. `where` is its file and line ("mig.yaml:12").

    With `filters`, the entry is about GPUs of these models only, whatever `devices` says.
    """

    where: str
    filters: tuple[DeviceFilter, ...]
    devices: Devices
    wanted: WantedGpu


class MigConfig(NamedTuple):
    """A file of wanted partitionings: label -> entries. `source` names the file."""

    source: str
    labels: Mapping[str, tuple[Entry, ...]]


def gpu_name(text: str) -> str | None:
    """The one spelling of a GPU's UUID or PCI address; None where `text` is neither."""
    low = text.lower()
    if _UUID.fullmatch(low):
        return f"GPU-{low[4:]}"
    match = _PCI.fullmatch(low)
    if match is None:
        return None
    domain = int(match["domain"] or "0", 16)
    return f"{domain:08x}:{match['bus']}:{match['device']}.{match['function']}"


def select(config: MigConfig, label: str | None) -> str:
    """The label that is meant: `label`, or the only one. UsageError says which there are."""
    if label is None:
        if len(config.labels) == 1:
            return next(iter(config.labels))
        raise UsageError(f"{config.source} has several configs: take one of {_some(config.labels)}")
    if label in config.labels:
        return label
    near = difflib.get_close_matches(label, config.labels, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it has {_some(config.labels)}"
    raise UsageError(f"{config.source} has no config {label!r}: {hint}")


def _some(labels: Mapping[str, object]) -> str:
    names = list(labels)
    return ", ".join(names[:20]) + (f", and {len(names) - 20} more" if len(names) > 20 else "")


def resolve(config: MigConfig, label: str, gpus: Sequence[LiveGpu]) -> dict[GpuIndex, WantedGpu]:
    """What each GPU is to be, by gpu_index; a GPU that no entry covers is left out.

    An entry whose filter matches no GPU of this node is meant for other nodes and is passed
    over, and so is a GPU that cannot do MIG, unless it was asked for by number or name.
    Raises Refused with everything that is wrong.
    """
    problems: list[str] = []
    covered: dict[GpuIndex, Entry] = {}
    entries = config.labels[label]
    for entry in sorted(entries, key=lambda entry: entry.devices.kind == "others"):
        named = {i for i, by in covered.items() if by.devices.kind != "others"}
        for gpu in _chosen(entry, gpus, named, problems):
            _cover(covered, gpu.info.gpu_index, entry, problems)
    if not covered and not problems:
        problems.append(f"{entries[0].where}: no entry is about a GPU of this node that can do MIG")
    for gpu in gpus:
        if (by := covered.get(gpu.info.gpu_index)) is not None:
            problems += [f"{by.where}: {problem}" for problem in misfits(gpu, by.wanted)]
    if problems:
        raise Refused(f"config {label} is not for this node", list(dict.fromkeys(problems)))
    return {index: covered[index].wanted for index in sorted(covered)}


def _cover(
    covered: dict[GpuIndex, Entry], index: GpuIndex, entry: Entry, problems: list[str]
) -> None:
    """Note that `entry` says what GPU `index` is to be, unless another says something else."""
    first = covered.setdefault(index, entry)
    if first.wanted != entry.wanted:
        problems.append(
            f"{entry.where}: GPU {index} is to be something else here than in {first.where}: "
            "leave it out of one of them"
        )


def _chosen(
    entry: Entry, gpus: Sequence[LiveGpu], named: Collection[GpuIndex], problems: list[str]
) -> list[LiveGpu]:
    """The GPUs that an entry is about; `named` are those that entries before "others" cover."""
    devices = entry.devices
    fit = [gpu for gpu in gpus if not entry.filters or any(f.matches(gpu) for f in entry.filters)]
    if not fit:
        return []
    if devices.kind in ("all", "others"):
        left = named if devices.kind == "others" else ()
        able = [gpu for gpu in fit if gpu.info.mig_mode is not None]
        return [gpu for gpu in able if gpu.info.gpu_index not in left]
    by_name = dict(_names(gpus))
    wanted: Sequence[str] = devices.names or [str(index) for index in devices.indices]
    problems += [f"{entry.where}: {_missing(name, gpus)}" for name in wanted if name not in by_name]
    found = {by_name[name].info.gpu_index for name in wanted if name in by_name}
    chosen = [gpu for gpu in fit if gpu.info.gpu_index in found]
    if found and not chosen:
        problems.append(f"{entry.where}: no GPU in devices is of a model in device-filter")
    return [gpu for gpu in chosen if _can(gpu, entry, problems)]


def _names(gpus: Sequence[LiveGpu]) -> Iterator[tuple[str, LiveGpu]]:
    """Everything by which an entry may name a GPU."""
    for gpu in gpus:
        yield str(gpu.info.gpu_index), gpu
        yield gpu_name(gpu.info.uuid) or gpu.info.uuid, gpu
        yield gpu_name(gpu.info.pci_bus_id) or gpu.info.pci_bus_id, gpu


def _missing(name: str, gpus: Sequence[LiveGpu]) -> str:
    if not name.isdecimal():
        return f"no GPU {name} on this node: `slurm-mig discover` lists those there are"
    return f"no GPU {name}: this node has {len(gpus)}, counted from 0"


def _can(gpu: LiveGpu, entry: Entry, problems: list[str]) -> bool:
    """Whether the GPU can do MIG; that one which cannot was asked to is a problem."""
    able = gpu.info.mig_mode is not None
    if not able and entry.wanted.mig:
        problems.append(f"{entry.where}: GPU {gpu.info.gpu_index} ({gpu.info.name}) cannot do MIG")
    return able
