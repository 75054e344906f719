"""Closing a record exactly once, whenever the hook is killed.

jobs/JOBID.json -> jobs/JOBID.RECORDID.closing, whole and final -> a line in the month's file.
A `.closing` that is left behind is finished by whichever hook comes next: its first
line says which file it goes to and how long that file was, so only what was added since needs
to be searched for it.
"""

import posix as os
import time

from slurm_mig.errors import HookError
from slurm_mig.hooks import jsonlight
from slurm_mig.hooks.registry import Content, Registry, wait_lock
from slurm_mig.system import rootfiles

USAGE = "/var/lib/slurm-mig/usage"
_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LIMIT = 1 << 20
_TAIL = 16 << 20  # some ten thousand records
_MOST = 64  # of one run: the rest is the next hook's
_SUFFIX = ".closing"


def begin(root: str, registry: Registry, job_id: int, record: Content, end: float) -> None:
    """Make the record final, and no job's any more. Raises OSError or HookError. Hold the lock.

    The name has the record's id in it: the same job may come again before this is appended.
    """
    month = time.strftime("%Y-%m.jsonl", time.gmtime(end))
    head = jsonlight.dumps({"file": month, "offset": _length(root, month)})
    data = f"{head}\n{jsonlight.dumps(record)}\n".encode()
    name = f"{job_id}.{record['record_id']}{_SUFFIX}"
    rootfiles.replace_file(registry.jobs, name, data, 0o600)
    registry.drop_record(job_id)


def is_known(root: str, registry: Registry, job_id: int, restarts: int, boot_id: str) -> bool:
    """Whether this run of the job has a record that is closed, or about to be. Slow.

    Raises OSError or HookError.
    """
    if any(name.startswith(f"{job_id}.") for name in _waiting(registry)):
        return True
    mark = f'"job_id":{job_id},"restarts":{restarts},'.encode()
    try:
        folder = rootfiles.open_folder(root, USAGE)
    except FileNotFoundError:
        return False
    try:
        months = sorted(name for name in os.listdir(folder) if name.endswith(".jsonl"))[-2:]
        lines = (line for name in months for line in _tail(folder, name).splitlines())
        return any(mark in line and boot_id.encode() in line for line in lines)
    finally:
        os.close(folder)


def _tail(folder: int, name: str) -> bytes:
    handle = os.open(name, _READ, dir_fd=folder)
    try:
        return os.pread(handle, _TAIL, max(0, os.fstat(handle).st_size - _TAIL))
    finally:
        os.close(handle)


def finish(root: str, registry: Registry) -> int:
    """Append every final record that waits, one fsync for all; how many there were.

    Raises OSError or HookError; then the records wait on.
    """
    if not _waiting(registry):
        return 0
    folder = rootfiles.open_folder(root, USAGE, make=0o750)
    try:
        gate = os.open("lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600,
                       dir_fd=folder)  # fmt: skip
        try:
            wait_lock(gate, f"{USAGE}/lock")
            return _finish_all(folder, registry)
        finally:
            os.close(gate)
    finally:
        os.close(folder)


def _waiting(registry: Registry) -> list[str]:
    return sorted(name for name in os.listdir(registry.jobs) if name.endswith(_SUFFIX))[:_MOST]


def _finish_all(folder: int, registry: Registry) -> int:
    """Those that wait, now that nobody else appends."""
    files: dict[str, list[tuple[str, int, bytes]]] = {}
    for name in _waiting(registry):
        try:
            month, offset, line = _final(registry, name)
        except HookError:  # not of our making: out of the way, for a person to look at
            os.rename(name, f"{name}.damaged", src_dir_fd=registry.jobs, dst_dir_fd=registry.jobs)
            continue
        except FileNotFoundError:  # the hook before us did it
            continue
        files.setdefault(month, []).append((name, offset, line))
    for month, finals in files.items():
        _append(folder, month, [(offset, line) for _, offset, line in finals])
        for name, _, line in finals:
            _drop_open(registry, name, line)  # first: without .closing it would be closed again
            rootfiles.remove(registry.jobs, name)
    return sum(map(len, files.values()))


def _final(registry: Registry, name: str) -> tuple[str, int, bytes]:
    """A final record's file, that file's length before, and the line. It was written whole."""
    head, _, line = rootfiles.read_file(registry.jobs, name, _LIMIT).partition(b"\n")
    told = jsonlight.loads(head.decode("ascii", "replace"))
    month = told.get("file") if isinstance(told, dict) else None
    offset = told.get("offset") if isinstance(told, dict) else None
    if not isinstance(month, str) or "/" in month or not isinstance(offset, int):
        raise HookError(f"{name} is damaged")
    return month, offset, line


def _drop_open(registry: Registry, name: str, line: bytes) -> None:
    """Remove the open record that became this final one, if a killed hook left both."""
    job_id = int(name.partition(".")[0])
    still = registry.record(job_id)
    if still and _id_of(line) == _id_of(jsonlight.dumps(still.get("record")).encode()):
        registry.drop_record(job_id)


def _append(folder: int, month: str, finals: list[tuple[int, bytes]]) -> None:
    """Add the lines that are not there yet; all of them are on the disk then, or OSError."""
    handle = os.open(month, _APPEND, 0o640, dir_fd=folder)
    try:
        half = _half_line(handle)
        if half and any(line.startswith(half) for _, line in finals):
            os.ftruncate(handle, os.fstat(handle).st_size - len(half))  # it follows whole
            half = b""
        length = os.fstat(handle).st_size
        first = min(offset for offset, _ in finals)
        added = os.pread(handle, length, first if first <= length else 0)
        missing = b"".join(line for _, line in finals if line not in added)
        if half:
            missing = b"\n" + missing  # of a machine that lost its power: nobody has the rest
        if missing and os.write(handle, missing) != len(missing):
            os.ftruncate(handle, length)
            raise OSError(28, "no space for the usage records")
        os.fsync(handle)
    finally:
        os.close(handle)


def _half_line(handle: int) -> bytes:
    """What stands behind the last whole line: a kill can cut write(2) short, or a power loss."""
    length = os.fstat(handle).st_size
    return os.pread(handle, _LIMIT, max(0, length - _LIMIT)).rpartition(b"\n")[2]


def _id_of(line: bytes) -> bytes:
    """The part of a record's line that no other record has."""
    start = line.find(b'"record_id":"')
    return line[start : line.find(b'"', start + 13) + 1] if start >= 0 else line


def _length(root: str, month: str) -> int:
    try:
        return os.stat(f"{root}{USAGE}/{month}", follow_symlinks=False).st_size
    except OSError:
        return 0
