"""Every new line of files into the database, piece by piece: stopped anywhere, it goes on there."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from slurm_mig.usage.store.batch import Bad, Batch, batch_of
from slurm_mig.usage.store.database import Store
from slurm_mig.usage.store.insert import Added, Place, add, place_of
from slurm_mig.usage.store.piece import START, Piece
from slurm_mig.usage.store.tail import open_file, read_piece

_MOST_TOLD = 20


class Collected(NamedTuple):
    """What came of a collect.

    `files` were read (of nodes: had something new). `known` records were there already.
    `damaged` and `newer` lines are no records (newer: of a later version). `told` has a sentence
    for the first of them, for records that came again with another text, and for what could not
    be read at all (counted in `unread`).
    """

    files: int = 0
    new: int = 0
    known: int = 0
    differing: int = 0
    damaged: int = 0
    newer: int = 0
    unread: int = 0
    told: tuple[str, ...] = ()

    def and_also(self, other: "Collected") -> "Collected":
        """The sum of both."""
        told = (*self.told, *other.told)[:_MOST_TOLD]
        counts = {name: getattr(self, name) + getattr(other, name) for name in _COUNTS}
        return Collected(**counts, told=told)


_COUNTS = Collected._fields[:-1]
Watch = Callable[[Collected], object]


def collect(
    store: Store, paths: Sequence[Path], *, watch: Watch = lambda _: None, again: bool = False
) -> Collected:
    """Store what is new in these files, and in every *.jsonl of these folders.

    `again`: from their beginnings. What cannot be read is told, and the rest goes on.
    Raises StoreError where the database fails.
    """
    done = Collected()
    failed: list[OSError] = []
    for path in files_of(paths, failed):
        try:
            for part in _collect_file(store, path, again=again):
                done = done.and_also(part)
                watch(done)
        except OSError as error:
            failed.append(error)
    told = tuple(f"{error.filename}: {error.strerror}" for error in failed)
    return done.and_also(Collected(unread=len(failed), told=told))


def files_of(paths: Iterable[Path], failed: list[OSError]) -> Iterator[Path]:
    """The files that are meant, by name; folders that cannot be searched go to `failed`.

    No link is followed below a folder.
    """
    for path in paths:
        if not os.path.isdir(path):  # noqa: PTH112 (Path's raises where it may not look)
            yield path
            continue
        for folder, folders, names in os.walk(path, onerror=failed.append):
            folders.sort()
            for name in sorted(names):
                if name.endswith(".jsonl"):
                    yield Path(folder, name)


def source_of(node: str, path: str | Path) -> str:
    """By what name the database knows a file on a node."""
    return f"{node}:{path}"


def here(path: Path) -> str:
    """The same for a file of this machine."""
    return source_of(os.uname().nodename, path.absolute())


def _collect_file(store: Store, path: Path, *, again: bool) -> Iterator[Collected]:
    """What came of the file, in parts."""
    handle = open_file(path)
    try:
        yield Collected(files=1)
        source = here(path)
        start = START if again else None
        while True:
            before = place_of(store, source)
            piece = read_piece(handle, before.mark if start is None else start)
            if piece is None:
                return
            done = take(store, source, before, piece)
            if done is not None:  # else another collect is here, and both go on behind that
                start = None
                yield done
    finally:
        os.close(handle)


def take(
    store: Store, source: str, before: Place, piece: Piece, nodes: Sequence[str] | None = None
) -> Collected | None:
    """Store one piece of a source that was at `before`; None where it is not any more."""
    batch = batch_of(piece, nodes)
    start = before if piece.begin == before.mark.position else Place()
    added = add(store, source, before, start, piece.end, batch)
    return None if added is None else _collected(source, start.lines, batch, added)


def _collected(source: str, lines: int, batch: Batch, added: Added) -> Collected:
    newer = sum(bad.newer for bad in batch.bad)
    told = [_told(source, lines, bad) for bad in batch.bad[:_MOST_TOLD]]
    told += [
        f"{source}: record {key} is there with another text: the first one stays"
        for key in added.differing
    ]
    return Collected(
        new=added.new,
        known=added.known,
        differing=len(added.differing),
        damaged=len(batch.bad) + batch.bad_left_out - newer,
        newer=newer,
        told=tuple(told[:_MOST_TOLD]),
    )


def _told(source: str, lines: int, bad: Bad) -> str:
    return f"{source}:{lines + bad.line}: {bad.why}"
