"""A MigConfig from a file's values: mig-parted's v1 format and our additions. Pure.

What mig-parted reads means here what it means there. Refused, though mig-parted lets it pass:
a device-filter that is no PCI number (there it matches nothing), mig-enabled without a value
(there it is false), and a profile or count that no GPU can have.
"""

import re
from collections.abc import Iterator

from slurm_mig.gpu.config.migconfig import DeviceFilter, Devices, Entry, MigConfig, gpu_name
from slurm_mig.gpu.config.miginstances import mig_devices, mig_instances
from slurm_mig.gpu.config.migreader import Reader
from slurm_mig.gpu.config.migtree import Fields, Items, Leaf, Tree, described
from slurm_mig.gpu.partitioning import WantedGi, WantedGpu

VERSION = "v1"
_TOP = ("version", "mig-configs")
_ENTRY = ("device-filter", "devices", "gpus", "mig-enabled", "mig-devices", "mig-instances")
_NUMBER = re.compile(r"0[xX](?P<hex>[0-9a-fA-F]{1,8})|(?P<decimal>[0-9]{1,10})")
_ALL = Devices("all")


def read_spec(tree: Tree, source: str, problems: list[str]) -> MigConfig:
    """The wanted partitionings. What is wrong is added to `problems`; then only they count."""
    read = Reader(source, problems)
    labels: dict[str, tuple[Entry, ...]] = {}
    top = read.fields(tree, "the file", _TOP)
    _version(read, top)
    configs = read.child(top, "mig-configs", "the file")
    if configs is not None:
        found = read.fields(configs, "mig-configs")
        if not found.values and isinstance(configs, Fields):
            read.note(configs.line, "mig-configs is empty: at least one config is needed")
        for label, (line, value) in found.values.items():
            _label(read, label, line)
            labels[label] = tuple(_entries(read, label, value))
    return MigConfig(source, labels)


def _version(read: Reader, top: Fields) -> None:
    version = read.child(top, "version", "the file")
    if version is not None and read.text(version, "version") not in (VERSION, None):
        read.note(version.line, f"only version {VERSION} is known: {described(version)}")


def _label(read: Reader, label: str, line: int) -> None:
    if not label or not label.isprintable() or label != label.strip():
        read.note(line, f"{label[:40]!r} cannot be the name of a config")


def _entries(read: Reader, label: str, tree: Tree) -> Iterator[Entry]:
    items = read.items(tree, label)
    if isinstance(tree, Items) and not items:
        read.note(tree.line, f"{label} is empty: at least one entry is needed")
    for item in items:
        fields = read.fields(item, f"an entry of {label}", _ENTRY)
        if isinstance(item, Fields):
            yield _entry(read, fields)


def _entry(read: Reader, fields: Fields) -> Entry:
    wanted = _wanted(read, fields)
    return Entry(read.where(fields.line), _filters(read, fields), _devices(read, fields), wanted)


def _filters(read: Reader, fields: Fields) -> tuple[DeviceFilter, ...]:
    """`device-filter`: a PCI number, a list of them, or nothing."""
    if "device-filter" not in fields.values:
        return ()
    _, tree = fields.values["device-filter"]
    if isinstance(tree, Leaf) and (tree.kind == "null" or tree == Leaf(tree.line, "text", "")):
        return ()
    items = tree.values if isinstance(tree, Items) else (tree,)
    found = (_filter(read, item) for item in items)
    return tuple(one for one in found if one is not None)


def _filter(read: Reader, tree: Tree) -> DeviceFilter | None:
    if isinstance(tree, Leaf) and tree.kind == "number":
        read.note(tree.line, f"device-filter: put {tree.text[:24]} in quotes")
        return None
    text = read.text(tree, "device-filter")
    if text is None:
        return None
    numbers = [_NUMBER.fullmatch(part) for part in text.split(":")]
    values = [int(n["hex"] or "0", 16) or int(n["decimal"] or "0") for n in numbers if n]
    if len(values) != len(numbers) or len(values) > 2 or max(values) > 0xFFFFFFFF:
        read.note(
            tree.line,
            f"device-filter: {text[:40]!r} is no PCI number, such as 0x20B010DE (device, vendor) "
            "or 0x20B010DE:0x134F10DE (with the board's)",
        )
        return None
    return DeviceFilter(*values)


def _devices(read: Reader, fields: Fields) -> Devices:
    """`devices` or, instead of it, `gpus`."""
    if "gpus" in fields.values:
        line, tree = fields.values["gpus"]
        if "devices" in fields.values:
            read.note(line, "gpus and devices do not go together: leave one out")
        names = (_gpu(read, item) for item in read.items(tree, "gpus"))
        return Devices("gpus", names=tuple(name for name in names if name is not None))
    devices = read.child(fields, "devices", "an entry")
    if devices is None:
        return _ALL
    if isinstance(devices, Leaf) and devices.kind == "text" and devices.text in ("all", "others"):
        return Devices("all" if devices.text == "all" else "others")
    if isinstance(devices, Items):
        numbers = (read.number(item, "devices") for item in devices.values)
        return Devices("indices", indices=tuple(n for n in numbers if n is not None))
    read.note(
        devices.line, f"devices is {described(devices)}, not all, others or a list of numbers"
    )
    return _ALL


def _gpu(read: Reader, tree: Tree) -> str | None:
    text = read.text(tree, "gpus")
    name = None if text is None else gpu_name(text)
    if text is not None and name is None:
        read.note(
            tree.line,
            f"gpus: {text[:50]!r} is no GPU's UUID (GPU-...) and no PCI address (0000:65:00.0)",
        )
    return name


def _wanted(read: Reader, fields: Fields) -> WantedGpu:
    enabled = read.child(fields, "mig-enabled", "an entry")
    on = False if enabled is None else read.flag(enabled, "mig-enabled")
    given = {
        key: fields.values[key] for key in ("mig-devices", "mig-instances") if _has(fields, key)
    }
    if len(given) == 2:
        line, _ = given["mig-instances"]
        read.note(line, "mig-devices and mig-instances do not go together: leave one out")
    if on and not given:
        read.note(
            fields.line,
            "mig-enabled is true, but there is neither mig-devices nor mig-instances: "
            "write mig-devices: {} for no slices",
        )
    instances: list[WantedGi] = []
    if "mig-devices" in given:
        instances += mig_devices(read, given["mig-devices"][1])
    if "mig-instances" in given:
        instances += mig_instances(read, given["mig-instances"][1])
    if instances and enabled is not None and on is False:
        read.note(min(line for line, _ in given.values()), "instances, but mig-enabled is false")
    return WantedGpu(bool(on), tuple(instances))


def _has(fields: Fields, key: str) -> bool:
    """Whether there is a value; mig-parted takes an empty one for none."""
    if key not in fields.values:
        return False
    _, tree = fields.values[key]
    return not (isinstance(tree, Leaf) and tree.kind == "null")
