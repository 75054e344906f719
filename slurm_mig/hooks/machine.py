"""What of the gres map still holds on this machine, now: a few small files, no NVML."""

import posix as os

from slurm_mig.hooks.gres_map import REMEDY
from slurm_mig.hooks.slices import GresMap, Slice
from slurm_mig.system import epoch

_CAPABILITIES = "/proc/driver/nvidia/capabilities"
_LONGEST_CONF = 64 << 20
_IS_DEVICE = 0o020000  # a character device; the module stat would take longer than this all


def why_stale(root: str, the_map: GresMap) -> str | None:
    """Why the map as a whole is not of now; None when it is. HookError: could not look."""
    if the_map.boot_id != epoch.boot_id(root):
        return f"the gres map is of an earlier boot: {REMEDY}"
    if the_map.generation != (now := epoch.generation(root)):
        return (
            f"the gres map is of partitioning {the_map.generation}, the GPUs are at {now}: {REMEDY}"
        )
    return None


def why_doubtful(the_map: GresMap) -> str | None:
    """Why slurmd's list may be another one than the map's; None when there is no doubt.

    `scontrol reconfigure` has slurmd read gres.conf again, in every version, and its unit does
    not make a new map then. Whether slurmd has read it cannot be seen from here.
    """
    if the_map.gres_conf is None:
        return None
    path, mtime_ns, crc32 = the_map.gres_conf
    try:
        if os.stat(path).st_mtime_ns == mtime_ns:
            return None
        from binascii import crc32 as crc32_of  # rare

        from slurm_mig.system.ownlines import own_lines

        # Configless slurmds fetch it anew each time; in a file of many, others' lines change.
        with open(path, "rb") as file:
            if crc32_of(own_lines(file.read(_LONGEST_CONF), the_map.node)) == crc32:
                return None
    except OSError:
        pass
    return f"{path} is not as the gres map has it: if slurmd has read it, run `slurm-mig gres-map`"


def problems(root: str, slices: "tuple[Slice, ...]") -> list[str]:
    """What is wrong with these slices, each a line with its remedy; empty when nothing is."""
    found = [line for one in slices for line in _gone(root, one)]
    files = {file for one in slices for file in one.files}
    return found + [line for file in sorted(files) for line in _wrong_file(root, *file)]


def is_gone(root: str, one: Slice) -> bool:
    """Whether the driver has no such slice any more, or another in its place."""
    return bool(_gone(root, one))


def _gone(root: str, one: Slice) -> "list[str]":
    if one.mig is None:
        return []
    instance = f"{_CAPABILITIES}/gpu{one.gpu_minor}/mig/gi{one.mig.gi_id}"
    lines = (
        _wrong_capability(root, f"{instance}/access", one.mig.gi_minor),
        _wrong_capability(root, f"{instance}/ci{one.mig.ci_id}/access", one.mig.ci_minor),
    )
    return [f"{one.name}: {line}" for line in lines if line]


def _wrong_capability(root: str, path: str, minor: int) -> str | None:
    try:
        text = _read(f"{root}{path}")
    except FileNotFoundError:
        return f"{path} is missing: the slice is gone; {REMEDY}"
    except OSError as error:
        return f"{path}: {error.strerror}"
    for line in text.splitlines():
        name, _, value = line.partition(b":")
        if name == b"DeviceFileMinor":
            told = value.strip()
            said = told.decode("ascii", "replace")
            return None if told == b"%d" % minor else f"{path} says minor {said}, not {minor}"
    return f"{path} says no minor"


def _wrong_file(root: str, path: str, major: int, minor: int) -> list[str]:
    try:
        found = os.lstat(f"{root}{path}")
    except OSError as error:
        return [f"{path}: {error.strerror}: run `slurm-mig doctor`"]
    if found.st_mode & 0o170000 != _IS_DEVICE:
        return [f"{path} is no character device: run `slurm-mig doctor`"]
    if found.st_rdev != os.makedev(major, minor):
        wrong = f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
        return [f"{path} is device {wrong}, not {major}:{minor}: run `slurm-mig doctor`"]
    return []


def _read(path: str) -> bytes:
    """The first page of one of the kernel's files. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(handle, 4096)
    finally:
        os.close(handle)
