"""A file of records for each user, of his own jobs, where a site lets users read them.

The files are root's. A POSIX ACL lets the one user read his own: he cannot change it, fill it, or
make another's way into it, as he could if it were his.
"""

import errno
import json
import os
import struct
import time
from pathlib import Path

from slurm_mig.errors import HookError, StoreError
from slurm_mig.system import rootfiles
from slurm_mig.usage.store import lines
from slurm_mig.usage.store.database import Store

# Not in /var/lib/slurm-mig, into which nobody but root may look.
FOLDER = "/var/lib/slurm-mig-users"
DAYS = 90
MOST = 20_000  # records of one user
_STATE = "exported.json"
_LIMIT = 1 << 16
_AT_ONCE = 500  # users of one question: databases limit its length
_SUFFIX = ".jsonl"
_DAY_S = 86400

# What posix_acl_xattr.h of Linux calls them.
_ACL, _VERSION, _NO_ID = "system.posix_acl_access", 2, 0xFFFFFFFF
_OWNER, _USER, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_READ, _WRITE = 4, 2


def file_of(uid: int) -> str:
    """Where a user's records are, as the machine names it."""
    return f"{FOLDER}/{uid}{_SUFFIX}"


def publish(root: Path, store: Store, most: int = MOST) -> int:
    """Write the files of all users who got records since the last time; how many there were.

    A file has what ended in the last DAYS days, and of too many records the newest `most`.
    Killed anywhere, the next run does what was not done. Raises StoreError.
    """
    newest = lines.newest_id(store)
    with _Folder(root) as folder:
        last = _last(folder, store)
        uids = [uid for uid in lines.uids_after(store, last, newest) if uid != 0]
        since = time.time() - DAYS * _DAY_S
        for first in range(0, len(uids), _AT_ONCE):
            some = uids[first : first + _AT_ONCE]
            for uid, texts in lines.of_users(store, some, since, most):
                _write(folder, uid, "".join(f"{text}\n" for text in texts).encode())
        state = json.dumps({"database": store.name, "id": newest}).encode()
        rootfiles.replace_file(folder, _STATE, state, 0o600)
    return len(uids)


def withdraw(root: Path) -> int:
    """Remove the files of all users; how many there were. Raises StoreError."""
    if not (root / FOLDER.lstrip("/")).is_dir():
        return 0
    with _Folder(root) as folder:
        # First: killed in between, the next publish() writes all again.
        rootfiles.remove(folder, _STATE)
        with os.scandir(folder) as found:
            names = [entry.name for entry in found if entry.name.endswith(_SUFFIX)]
        return sum(rootfiles.remove(folder, name) for name in names)


class _Folder:
    """The open folder of these files, made if need be; what goes wrong in it in one line."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._handle = -1

    def __enter__(self) -> int:
        try:
            # Everybody may pass through to his own file, and list none.
            self._handle = rootfiles.open_folder(str(self._root), FOLDER, make=0o711)
        except (OSError, HookError) as why:
            raise StoreError(f"{FOLDER}: {_why(why)}") from why
        return self._handle

    def __exit__(self, kind: object, why: BaseException | None, trace: object) -> None:
        os.close(self._handle)
        if isinstance(why, OSError | HookError):
            raise StoreError(f"{FOLDER}: {_why(why)}") from why


def _why(error: OSError | HookError) -> str:
    if isinstance(error, OSError) and error.errno in (errno.EOPNOTSUPP, errno.ENOSYS):
        return "this file system has no ACLs, by which a user reads his own file alone"
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _last(folder: int, store: Store) -> int:
    """The number of the last record that is in the files; 0: write all of them."""
    try:
        found = json.loads(rootfiles.read_file(folder, _STATE, _LIMIT))
    except (FileNotFoundError, ValueError):
        return 0
    mine = isinstance(found, dict) and found.get("database") == store.name
    number = found.get("id") if mine else 0
    return number if isinstance(number, int) else 0


def _write(folder: int, uid: int, data: bytes) -> None:
    """The user's file, whole and on the disk, and readable to him before it has its name."""
    draft = f".{uid}.{os.getpid()}"
    rootfiles.remove(folder, draft)
    rootfiles.new_file(folder, draft, b"", 0o600)
    try:
        flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(draft, flags, dir_fd=folder), "wb") as file:
            file.write(data)
            file.flush()
            os.setxattr(file.fileno(), _ACL, _acl(uid))
            os.fsync(file.fileno())
        os.rename(draft, f"{uid}{_SUFFIX}", src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    except BaseException:
        rootfiles.remove(folder, draft)
        raise


def _acl(uid: int) -> bytes:
    """Root reads and writes, the user reads, nobody else does anything."""
    entries = (
        (_OWNER, _READ | _WRITE, _NO_ID),
        (_USER, _READ, uid),
        (_GROUP, 0, _NO_ID),
        (_MASK, _READ, _NO_ID),
        (_OTHER, 0, _NO_ID),
    )
    packed = (struct.pack("<HHI", *entry) for entry in entries)
    return struct.pack("<I", _VERSION) + b"".join(packed)
