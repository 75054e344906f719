"""What was added to a file since it was read last, in pieces that end with a line.

A file is known again by its content: a digest of what stands before the place up to which it was
read. So one that was renamed, or copied anew with more at its end, goes on there; one that was
truncated, or replaced by another, is read from its beginning (no record is stored twice).
"""

import errno
import hashlib
import os
import stat

from slurm_mig.usage.store.piece import Mark, Piece
from slurm_mig.usage.store.shape import MAX_LINE

LIMIT = 8 << 20  # bytes of a piece
_SPAN = 4096  # bytes that the digest covers: the last record or two, with their ids
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_BLOCK = 1 << 20


def open_file(path: str | os.PathLike[str], folder: int | None = None) -> int:
    """A handle to read a regular file with, maybe in an open folder; no link is followed.

    Raises OSError.
    """
    handle = os.open(path, _READ, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "no regular file", str(path))
    return handle


def read_piece(handle: int, mark: Mark, limit: int = LIMIT) -> Piece | None:
    """What follows `mark`, at most `limit` bytes; None where no line was finished since.

    It begins at 0 where the file is another one than that of the mark. `limit` is at least
    MAX_LINE. Raises OSError.
    """
    begin = mark.position if is_same(handle, mark) else 0
    data = _read(handle, begin, max(limit, MAX_LINE + 1))
    whole = data.rfind(b"\n") + 1
    if whole:
        end = begin + whole
    elif len(data) > MAX_LINE and (found := _next_line(handle, begin)) is not None:
        end = found
    else:
        return None
    size = os.fstat(handle).st_size
    return Piece(begin, data[:whole], Mark(end, _digest(handle, end)), size > end)


def is_same(handle: int, mark: Mark) -> bool:
    """Whether it is the file of the mark, as far as that goes. Raises OSError."""
    return mark.position == 0 or _digest(handle, mark.position) == mark.digest


def _digest(handle: int, position: int) -> str:
    """Of the bytes before a place; empty where the file does not reach it."""
    begin = max(0, position - _SPAN)
    before = _read(handle, begin, position - begin)
    return hashlib.sha256(before).hexdigest() if len(before) == position - begin else ""


def _next_line(handle: int, begin: int) -> int | None:
    """Where the first line from `begin` on ends, however long it is."""
    while block := os.pread(handle, _BLOCK, begin):
        found = block.find(b"\n")
        if found >= 0:
            return begin + found + 1
        begin += len(block)
    return None


def _read(handle: int, begin: int, count: int) -> bytes:
    blocks = []
    while count > 0 and (block := os.pread(handle, count, begin)):
        blocks.append(block)
        begin += len(block)
        count -= len(block)
    return b"".join(blocks)
