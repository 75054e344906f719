"""Files that root reads and writes where others have their hands near: no link is followed.

A folder is opened once, checked (root's own, writable to nobody else), and everything in it is
named relative to the open folder, so that nothing can be exchanged in between.
"""

import posix as os

from slurm_mig.errors import HookError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OTHERS_WRITE = 0o022
_IS_FILE = 0o100000


def open_folder(root: str, path: str, make: int | None = None) -> int:
    """A handle of the folder `path` ("/run/slurm-mig") below `root`, safe to work in.

    Every folder on the way is checked. Missing ones are made with mode `make`, if given.
    Raises OSError, or HookError if a folder is not root's alone.
    """
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for name in path.strip("/").split("/"):
        try:
            inner = _enter(handle, name, make)
        finally:
            os.close(handle)
        handle = inner
        _must_be_roots(handle, path)
    return handle


def _enter(handle: int, name: str, make: int | None) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=handle)
    except FileNotFoundError:
        if make is None:
            raise
    try:
        os.mkdir(name, make, dir_fd=handle)
    except FileExistsError:  # another hook was faster
        return os.open(name, _FOLDER, dir_fd=handle)
    made = os.open(name, _FOLDER, dir_fd=handle)
    os.fchmod(made, make)  # mkdir's own mode is cut by the umask: jobs read what hooks write here
    return made


def _must_be_roots(handle: int, path: str) -> None:
    found = os.fstat(handle)
    if found.st_uid != 0 or found.st_mode & _OTHERS_WRITE:
        os.close(handle)
        raise HookError(f"{path}: a folder on the way is not root's alone: chown root, chmod go-w")


def read_file(folder: int, name: str, limit: int) -> bytes:
    """All of a regular file that is root's alone. Raises OSError, or HookError for any other."""
    handle = os.open(name, _READ, dir_fd=folder)
    try:
        found = os.fstat(handle)
        if found.st_mode & 0o170000 != _IS_FILE:
            raise HookError(f"{name} is no regular file")
        if found.st_uid != 0 or found.st_mode & _OTHERS_WRITE:
            raise HookError(f"{name} is not root's alone: somebody else could have written it")
        if found.st_size > limit:
            raise HookError(f"{name} is longer than {limit} bytes")
        return _read_all(handle, limit)
    finally:
        os.close(handle)


def read_in(root: str, path: str, name: str, limit: int) -> bytes:
    """All of the file `name` in the folder `path` below `root`. Raises as both do."""
    folder = open_folder(root, path)
    try:
        return read_file(folder, name, limit)
    finally:
        os.close(folder)


def _read_all(handle: int, limit: int) -> bytes:
    data = b""
    while len(data) <= limit and (more := os.read(handle, 1 << 18)):
        data += more
    return data


def new_file(folder: int, name: str, data: bytes, mode: int) -> None:
    """A file that was not there before. Raises OSError (FileExistsError too); then none stays."""
    handle = os.open(name, _NEW, 0o600, dir_fd=folder)
    try:
        try:
            os.fchmod(handle, mode)
            if os.write(handle, data) != len(data):
                raise OSError(28, "no space for all of it")
        finally:
            os.close(handle)
    except BaseException:
        remove(folder, name)
        raise


def replace_file(folder: int, name: str, data: bytes, mode: int) -> None:
    """Give `name` these contents; whoever looks sees the old or the new. Raises OSError."""
    draft = f".{name}.{os.getpid()}"
    remove(folder, draft)  # of a process that was killed and had our pid
    new_file(folder, draft, data, mode)
    try:
        os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        remove(folder, draft)
        raise


def remove(folder: int, name: str) -> bool:
    """Whether there was such a file to remove. Raises OSError."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True
