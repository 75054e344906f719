"""`discover --json` of one or many nodes, read back: strictly, every problem at once.

What is let through ends up in gres.conf, which slurmd reads as root.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from slurm_mig.errors import Refused
from slurm_mig.gpu.checked import Checked
from slurm_mig.gpu.driver.names import cap_path, gpu_path
from slurm_mig.gpu.present.inventory import VERSION
from slurm_mig.gpu.profile import gi_profile, parse
from slurm_mig.model import (
    CiId,
    CiMinor,
    Cores,
    DeviceFile,
    GiId,
    GiMinor,
    Gpu,
    GpuIndex,
    GpuInstance,
    GpuMinor,
    MigDevice,
    MigIndex,
    MigMode,
    MigSpec,
    Node,
    Placement,
)

_SPACE = re.compile(r"[ \t\r\n]*")


def read_nodes(paths: Iterable[Path]) -> Iterator[Node]:
    """The nodes of these files, one at a time: ten thousand need not fit in memory.

    A file holds one object of `discover --json`, several one after the other, or a list of
    them. Raises Refused when all are read and any had problems, naming file and key: until
    then nothing that was made of the nodes may be written.
    """
    problems: list[str] = []
    for path in paths:
        for where, value in _objects(path, problems):
            node = from_json(value, where, problems)
            if node is not None:
                yield node
    if problems:
        raise Refused("the inventory cannot be used", problems)


def from_json(value: object, where: str, problems: list[str]) -> Node | None:
    """The node, or None when something was wrong; then `problems` grew.

    `where` begins every problem ("n1.json: ").
    """
    before = len(problems)
    node = _node(Checked(value, where, problems))
    return node if len(problems) == before else None


def _objects(path: Path, problems: list[str]) -> Iterator[tuple[str, object]]:
    """Every object of the file, lists taken apart, each with the place it was found at."""
    number = 0
    try:
        for number, value in enumerate(_values(path.read_text("utf-8")), start=1):
            yield (f"{path}: " if number == 1 else f"{path}: node {number}: "), value
    except OSError as error:
        problems.append(f"{path}: {error.strerror}")
    except (ValueError, RecursionError) as error:  # of UTF-8, of JSON, or nested to no end
        problems.append(f"{path}: not JSON ({error}): save `slurm-mig discover --json` again")
    else:
        if not number:
            problems.append(f"{path}: no node; wanted the output of `slurm-mig discover --json`")


def _values(text: str) -> Iterator[object]:
    """JSON values one after the other, as `cat` puts them together, and the items of lists."""
    decoder, position = json.JSONDecoder(), _skip_space(text, 0)
    while position < len(text):
        value, end = decoder.raw_decode(text, position)
        yield from value if isinstance(value, list) else [value]
        position = _skip_space(text, end)


def _skip_space(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    return space.end() if space else position


def _node(read: Checked) -> Node:
    if read.number("version") != VERSION:
        read.note("version", f"only version {VERSION} is known here: update slurm-mig")
    gpus = tuple(_gpu(gpu) for gpu in read.children("gpus"))
    node = Node(
        name=read.text("node"),
        driver_version=read.text("driver_version"),
        gpus=gpus,
        warnings=_lines(read, "warnings"),
    )
    _once(read, "gpus", "gpu_index", [gpu.gpu_index for gpu in gpus])
    _once(read, "gpus", "gpu_minor", [gpu.gpu_minor for gpu in gpus])
    _once(read, "gpus", "uuid", [gpu.uuid for gpu in gpus])
    return node


def _gpu(read: Checked) -> Gpu:
    uuid, gpu_minor = read.text("uuid"), GpuMinor(read.number("gpu_minor"))
    parent = gpu_path(gpu_minor)
    devices = tuple(_mig_device(d, uuid, gpu_minor) for d in read.children("mig_devices"))
    mode = _mig_mode(read.child("mig_mode"))
    if devices and not (mode and mode.current):
        read.note("mig_devices", "there are some, though MIG mode is not on")
    _once(read, "mig_devices", "uuid", [device.uuid for device in devices])
    _once(read, "mig_devices", "ci_minor", [device.ci_minor for device in devices])
    return Gpu(
        gpu_index=GpuIndex(read.number("gpu_index")),
        gpu_minor=gpu_minor,
        uuid=uuid,
        name=read.text("name"),
        pci_bus_id=read.text("pci_bus_id"),
        memory_mib=read.number("memory_mib"),
        mig_mode=mode,
        device_file=_file(read.child("device_file"), parent)
        if "device_file" in read
        else DeviceFile(parent, None, None, None),
        mig_devices=devices,
        empty_gpu_instances=tuple(
            GpuInstance(GiId(gi.number("gi_id")), gi.text("profile"), _placement(gi))
            for gi in (
                read.children("empty_gpu_instances") if "empty_gpu_instances" in read else ()
            )
        ),
        cores=_cores(read),
        warnings=_lines(read, "warnings"),
    )


def _mig_mode(read: Checked) -> MigMode | None:
    """null, null: the GPU cannot do MIG."""
    if read.is_null("current") and read.is_null("pending"):
        return None
    return MigMode(read.flag("current"), read.flag("pending"))


def _mig_device(read: Checked, gpu_uuid: str, gpu_minor: GpuMinor) -> MigDevice:
    profile = read.text("profile")
    gi_slices, ci_slices = _slices(read, profile)
    gi_minor, ci_minor = GiMinor(read.number("gi_minor")), CiMinor(read.number("ci_minor"))
    return MigDevice(
        spec=MigSpec(gpu_uuid, gi_profile(profile), _placement(read), profile),
        mig_index=MigIndex(read.number("mig_index")),
        uuid=read.text("uuid"),
        gi_id=GiId(read.number("gi_id")),
        ci_id=CiId(read.number("ci_id")),
        gi_minor=gi_minor,
        ci_minor=ci_minor,
        memory_mib=read.number("memory_mib"),
        sm_count=read.number("sm_count"),
        gi_slices=gi_slices,
        ci_slices=ci_slices,
        device_files=_files(read, (gpu_path(gpu_minor), cap_path(gi_minor), cap_path(ci_minor))),
    )


def _slices(read: Checked, profile: str) -> tuple[int, int]:
    """(gi_slices, ci_slices), as written or else as the profile's name says."""
    try:
        named = parse(profile)
    except ValueError as error:
        read.note("profile", str(error))
        return 0, 0
    return (
        read.number("gi_slices") if "gi_slices" in read else named.gi_slices,
        read.number("ci_slices") if "ci_slices" in read else named.ci_slices,
    )


def _files(read: Checked, paths: tuple[str, str, str]) -> tuple[DeviceFile, DeviceFile, DeviceFile]:
    """The three nodes; `paths` are those that the minors demand."""
    if read.texts("device_files") != paths and read.clean:
        read.note("device_files", f"the minors above make it {', '.join(paths)}")
    parent, gi, ci = (DeviceFile(path, None, None, None) for path in paths)
    if "device_nodes" not in read:
        return parent, gi, ci
    nodes = list(read.children("device_nodes"))
    if len(nodes) != len(paths):
        read.note("device_nodes", "not three: parent, GPU instance, compute instance")
        return parent, gi, ci
    return _file(nodes[0], paths[0]), _file(nodes[1], paths[1]), _file(nodes[2], paths[2])


def _file(read: Checked, path: str) -> DeviceFile:
    if read.text("path") != path:
        read.note("path", f"the minors make it {path}")
    return DeviceFile(
        path=path,
        major=None if read.is_null("major") else read.number("major"),
        minor=None if read.is_null("minor") else read.number("minor"),
        mode=None if read.is_null("mode") else _mode(read),
        problems=read.texts("problems"),
    )


def _mode(read: Checked) -> int:
    text = read.text("mode")
    if not re.fullmatch(r"[0-7]{3,4}", text):
        read.note("mode", f"{text!r} is no octal mode such as 0444")
        return 0
    return int(text, 8)


def _placement(read: Checked) -> Placement | None:
    if read.is_null("placement"):
        return None
    placement = read.child("placement")
    return Placement(placement.number("start"), placement.number("size"))


def _cores(read: Checked) -> Cores | None:
    if "cores" not in read or read.is_null("cores"):
        return None
    cores = read.child("cores")
    return Cores(cores.ranges("first_to_last"), cores.flag("fill_sockets"))


def _lines(read: Checked, key: str) -> tuple[str, ...]:
    return read.texts(key) if key in read else ()


def _once(read: Checked, key: str, what: str, values: Sequence[object]) -> None:
    """Note every value that stands there twice, unless some of them are stand-ins."""
    if not read.clean:
        return
    seen = set[object]()
    for value in values:
        if value in seen:
            read.note(key, f"{what} {value} is there twice")
        seen.add(value)
