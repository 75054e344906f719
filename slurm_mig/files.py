"""Files: where they lie below --root, and how they are written so that no reader sees half."""

import os
from pathlib import Path


def under(root: Path, path: str) -> Path:
    """`path` as the machine names it ("/proc/devices"), moved below `root`."""
    return root / path.lstrip("/")


def write_atomic(path: Path, text: str, mode: int = 0o644) -> bool:
    """Make `path` hold `text`; true if it had to be written, false if it already did.

    The new file is complete and on the disk before it takes the name. A link at `path` is
    replaced, not followed. An existing file keeps its mode and owner. Bytes that are no text
    go by surrogateescape, as read_conf() has them.
    Raises OSError; then `path` is as it was.
    """
    data = text.encode(errors="surrogateescape")
    kept = _regular(path)
    if kept is not None and path.read_bytes() == data:
        return False
    handle, draft = _new_file(path)
    try:
        with os.fdopen(handle, "wb") as out:
            os.fchmod(out.fileno(), mode if kept is None else kept.st_mode & 0o7777)
            if kept is not None:
                os.fchown(out.fileno(), kept.st_uid, kept.st_gid)
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return True


def write_new(path: Path, text: str, mode: int = 0o644) -> None:
    """Make `path`, complete and on the disk. FileExistsError where there is one already.

    Of several that try at once, one succeeds. Raises OSError; then none is made.
    """
    handle, draft = _new_file(path)
    try:
        with os.fdopen(handle, "wb") as out:
            os.fchmod(out.fileno(), mode)
            out.write(text.encode())
            out.flush()
            os.fsync(out.fileno())
        os.link(draft, path, follow_symlinks=False)  # unlike a rename, it replaces nothing
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)


def _new_file(path: Path) -> tuple[int, Path]:
    """A file beside `path` that nobody had before, open for writing, and its name.

    By hand: the module tempfile takes longer to load than all else that a hook needs.
    """
    number = 0
    while True:
        draft = path.parent / f".{path.name}.{os.getpid()}.{number}"
        try:
            return os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), draft
        except FileExistsError:  # left by a process that was killed and had our pid
            number += 1


def _regular(path: Path) -> os.stat_result | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found if (found.st_mode & 0o170000) == 0o100000 else None


def sync_folder(folder: Path) -> None:
    """Wait until what a folder names is on the disk. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
