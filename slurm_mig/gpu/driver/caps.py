"""What the driver says about its capability devices, below /proc. Strict: it decides who
may open which slice.

/proc/driver/nvidia-caps/mig-minors   every possible entry, "gpu0/gi1/ci0/access 13"
/proc/driver/nvidia/capabilities/     the live ones, one `access` file each
/proc/devices                         the major number, assigned at boot
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from slurm_mig.errors import CapsError
from slurm_mig.gpu.driver.names import DEVICES, MIG_MINORS, capability_path, entry
from slurm_mig.model import CiId, GiId, GpuMinor

_MAX_BYTES = 1 << 20  # ten times the largest that a driver prints
_MAX_MINOR = (1 << 20) - 1  # of any Linux device number
_NUMBER = "(?:0|[1-9][0-9]{0,7})"
_SLICE = f"gpu{_NUMBER}/gi{_NUMBER}(?:/ci{_NUMBER})?/access"
# One expression: the file has 4,322 lines, and whoever starts a job waits for it. Names that
# a later driver may add are let through, unless they begin like a slice's.
_LINE = re.compile(f"({_SLICE}|(?!gpu)[!-~]+) ({_NUMBER})")
_FIELD = re.compile(f"([A-Za-z]+):[ \\t]*({_NUMBER})")


class Capability(NamedTuple):
    """One `access` file: the device node as the driver wants it.

    `modify` is whether nvidia-modprobe may create or change the node.
    """

    minor: int
    mode: int
    modify: bool


class Caps(NamedTuple):
    """The driver's files below `root`. `major` is None when no nvidia-caps is registered."""

    root: Path
    minors: Mapping[str, int]
    major: int | None

    def minor(self, gpu_minor: GpuMinor, gi_id: GiId, ci_id: CiId | None = None) -> int:
        """N of /dev/nvidia-caps/nvidia-capN; CapsError when mig-minors has no such entry."""
        name = entry(gpu_minor, gi_id, ci_id)
        if name not in self.minors:
            raise CapsError(
                f"{MIG_MINORS} has no entry {name!r}, though NVML lists the instance: "
                "reload the nvidia module, or reboot"
            )
        return self.minors[name]

    def capability(
        self, gpu_minor: GpuMinor, gi_id: GiId, ci_id: CiId | None = None
    ) -> Capability | None:
        """The live instance's `access` file; None when there is none. Raises CapsError."""
        path = capability_path(gpu_minor, gi_id, ci_id)
        text = _read(self.root, path)
        return None if text is None else parse_capability(text, path)


def read_caps(root: Path) -> Caps:
    """Raises CapsError when a file is missing, unreadable or absurd."""
    minors = _read(root, MIG_MINORS)
    if minors is None:
        raise CapsError(
            f"{MIG_MINORS} is missing: MIG needs driver 450.80.02 or later, and a container "
            "needs the host's /proc/driver/nvidia-caps"
        )
    return Caps(root, parse_mig_minors(minors), parse_major(_read(root, DEVICES) or ""))


def parse_mig_minors(text: str) -> dict[str, int]:
    """Name -> minor of every line; CapsError naming the first line that cannot be."""
    minors: dict[str, int] = {}
    owners: dict[int, str] = {}
    for number, line in enumerate(_lines(text), start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            wanted = "neither NAME NUMBER nor gpuG/giI[/ciC]/access NUMBER"
            raise _absurd(MIG_MINORS, number, line, wanted)
        name, minor = match[1], int(match[2])
        if minor > _MAX_MINOR:
            raise _absurd(MIG_MINORS, number, line, f"no minor is above {_MAX_MINOR}")
        if name in minors:
            raise _absurd(MIG_MINORS, number, line, "the name is there twice")
        if minor in owners:
            # Two slices behind one device node: whoever may open one may open the other.
            raise _absurd(MIG_MINORS, number, line, f"{owners[minor]!r} has that minor")
        minors[name] = minor
        owners[minor] = name
    return minors


def parse_capability(text: str, path: str) -> Capability:
    """An `access` file ("DeviceFileMinor: 12" and so on); CapsError, naming `path`."""
    fields = {}
    for number, line in enumerate(_lines(text), start=1):
        match = _FIELD.fullmatch(line)
        if match is None:
            raise _absurd(path, number, line, "not a name and a number")
        fields[match[1]] = int(match[2])
    wanted = ("DeviceFileMinor", "DeviceFileMode", "DeviceFileModify")
    missing = [name for name in wanted if name not in fields]
    if missing:
        raise CapsError(f"{path} does not say {', '.join(missing)}: reload the nvidia module")
    minor, mode, modify = (fields[name] for name in wanted)
    return Capability(minor, mode, modify != 0)


def parse_major(text: str) -> int | None:
    """The major of nvidia-caps in /proc/devices; None when it is not there."""
    characters = text.partition("Block devices:")[0]
    match = re.search(r"^ *([0-9]{1,4}) nvidia-caps$", characters, re.MULTILINE)
    return None if match is None else int(match[1])


def _read(root: Path, path: str) -> str | None:
    """The file's text; None when there is none. CapsError when it cannot be read or believed."""
    try:
        # Bare system calls: a full machine has 128 of these files, and every start reads them.
        handle = os.open(f"{root}{path}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = _read_all(handle)
        finally:
            os.close(handle)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CapsError(f"{path}: {error.strerror}: run as root") from None
    if len(data) > _MAX_BYTES:
        raise CapsError(f"{path} is longer than {_MAX_BYTES} bytes: it is no file of the driver's")
    # Every byte is a character: one that is not ASCII fails its line's check, with its number.
    return data.decode("latin-1")


def _read_all(handle: int) -> bytes:
    """The file to its end, or a little more than may be: /proc hands out pages, not files."""
    data = b""
    while len(data) <= _MAX_BYTES and (page := os.read(handle, 1 << 16)):
        data += page
    return data


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _absurd(path: str, number: int, line: str, why: str) -> CapsError:
    return CapsError(
        f"{path}, line {number}: {line[:60]!a}: {why}; no driver prints this: "
        "is something mounted over /proc/driver?"
    )
