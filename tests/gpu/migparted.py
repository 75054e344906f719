"""What mig-parted makes of a configuration: its rules written down a second time, apart from ours.

From its api/spec/v1 (what it accepts) and its walk over GPUs (what it then does), for values as
JSON has them, since it turns YAML into JSON first. `Rejected` is its error. It is more lenient
than we are in a few documented things; `Lenient` is raised for those.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from slurm_mig.gpu.partitioning import LiveGpu

_PROFILE = re.compile(r"(?:[1-9][0-9]*c\.)?[1-9][0-9]*g\.[1-9][0-9]*gb(?:[+-][a-z][a-z.]*)?")
_FILTER = re.compile(r"0x[0-9a-fA-F]{1,8}(?::0x[0-9a-fA-F]{1,8})?")


class Rejected(Exception):
    """mig-parted cannot read the file."""


class Lenient(Exception):
    """mig-parted reads it, by accident as it seems; we refuse."""


@dataclass(frozen=True)
class Spec:
    """One entry as mig-parted holds it. `devices` None: all."""

    filters: tuple[str, ...]
    devices: tuple[int, ...] | None
    enabled: bool
    counts: tuple[tuple[str, int], ...]


def load(value: Any) -> dict[str, list[Spec]]:
    """The configs of a whole file."""
    if not isinstance(value, dict) or "version" not in value:
        raise Rejected
    if value["version"] != "v1" or set(value) - {"version", "mig-configs"}:
        raise Rejected
    configs = value.get("mig-configs")
    if "mig-configs" not in value or configs is None:
        raise Lenient if "mig-configs" not in value else Rejected
    if not isinstance(configs, dict) or not configs:
        raise Rejected
    lenient = False
    found = {}
    for label, entries in configs.items():
        if not isinstance(entries, list) or not entries:
            raise Rejected
        read = []
        for entry in entries:
            try:
                read.append(_entry(entry))
            except Lenient:
                lenient = True
        found[label] = read
    if lenient:
        raise Lenient
    return found


def _entry(value: Any) -> Spec:
    known = {"device-filter", "devices", "mig-enabled", "mig-devices"}
    if not isinstance(value, dict) or set(value) - known:
        raise Rejected
    if not {"devices", "mig-enabled"} <= set(value):
        raise Rejected
    strict = True
    filters, all_right = _filters(value.get("device-filter"))
    strict &= all_right
    devices, all_right = _devices(value["devices"])
    strict &= all_right
    enabled = value["mig-enabled"]
    if not isinstance(enabled, bool):
        if enabled is not None:
            raise Rejected
        strict, enabled = False, False  # null leaves a Go bool as it was
    given = value.get("mig-devices")
    counts, all_right = _counts(given)
    strict &= all_right
    if enabled and given is None:
        raise Rejected
    if not enabled and counts:
        raise Rejected
    if not strict:
        raise Lenient
    return Spec(filters, devices, enabled, counts)


def _filters(value: Any) -> tuple[tuple[str, ...], bool]:
    """The filters, and whether each is a number: one that is none matches nothing there."""
    if value is None or value == "":
        return (), True
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list):
        raise Rejected
    if not all(item is None or isinstance(item, str) for item in items):
        raise Rejected
    texts = tuple(item or "" for item in items)
    return texts, all(_FILTER.fullmatch(text) for text in texts)


def _devices(value: Any) -> tuple[tuple[int, ...] | None, bool]:
    """None for all; and whether each is a number that a GPU can have."""
    if value == "all":
        return None, True
    if not isinstance(value, list):
        raise Rejected  # null too: it leaves a Go string empty, which is not "all"
    if not all(item is None or type(item) is int for item in value):
        raise Rejected
    strict = all(item is not None and item >= 0 for item in value)
    return tuple(item or 0 for item in value), strict


def _counts(value: Any) -> tuple[tuple[tuple[str, int], ...], bool]:
    if value is None:
        return (), True
    if not isinstance(value, dict):
        raise Rejected
    if not all(count is None or type(count) is int for count in value.values()):
        raise Rejected
    strict = all(count is not None for count in value.values())
    counts = {name: count or 0 for name, count in value.items()}
    if any(count < 0 or not _PROFILE.fullmatch(name) for name, count in counts.items()):
        raise Rejected
    if counts and not any(counts.values()):
        raise Rejected
    return tuple(sorted(counts.items())), strict and all(count <= 64 for count in counts.values())


def walk(specs: Sequence[Spec], gpus: Sequence[LiveGpu]) -> dict[int, list[Spec]]:
    """The entries that mig-parted would apply to each GPU that can do MIG, one after the other."""
    found: dict[int, list[Spec]] = {}
    for spec in specs:
        for index, gpu in enumerate(gpus):
            of_model = not spec.filters or any(_matches(text, gpu) for text in spec.filters)
            named = spec.devices is None or index in spec.devices
            if of_model and named and gpu.info.mig_mode is not None:
                found.setdefault(index, []).append(spec)
    return found


def _matches(text: str, gpu: LiveGpu) -> bool:
    device, _, board = text.partition(":")
    if int(device, 16) != gpu.pci_device_id:
        return False
    return not board or int(board, 16) == gpu.pci_subsystem_id
