"""The node's side of a collect from afar: what was added to its files, so much at a time."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from slurm_mig.errors import HookError, StoreError
from slurm_mig.system import rootfiles
from slurm_mig.usage.store.frames import ANSWER, FILE, PIECE, last_line, piece_line
from slurm_mig.usage.store.piece import START, Mark
from slurm_mig.usage.store.tail import open_file, read_piece

USAGE = "/var/lib/slurm-mig/usage"


def ship(root: Path, known: Mapping[str, Mark]) -> Iterator[str]:
    """The lines of an answer. Raises StoreError where a file cannot be read."""
    sent = 0
    try:
        folder = rootfiles.open_folder(str(root), USAGE)
    except FileNotFoundError:  # no job has ended here yet
        yield last_line(more=False)
        return
    except (OSError, HookError) as error:
        raise _cannot(USAGE, error) from None
    try:
        for name in sorted(filter(FILE.fullmatch, os.listdir(folder))):  # noqa: PTH208 (a handle)
            for line in _of_file(folder, name, known.get(name, START)):
                yield line
                sent += len(line)
                if sent > ANSWER:
                    yield last_line(more=True)
                    return
    finally:
        os.close(folder)
    yield last_line(more=False)


def _of_file(folder: int, name: str, mark: Mark) -> Iterator[str]:
    try:
        handle = open_file(name, folder)
        try:
            while (piece := read_piece(handle, mark, PIECE)) is not None:
                yield piece_line(name, piece)
                mark = piece.end
        finally:
            os.close(handle)
    except OSError as error:
        raise _cannot(f"{USAGE}/{name}", error) from None


def _cannot(path: str, error: OSError | HookError) -> StoreError:
    return StoreError(f"{path}: {error.strerror if isinstance(error, OSError) else error}")
