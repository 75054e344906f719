"""Removing old files of a node: only those of which every line is in the database."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from slurm_mig.errors import HookError, StoreError, UsageError
from slurm_mig.system import rootfiles
from slurm_mig.usage.store.batch import batch_of
from slurm_mig.usage.store.database import Store
from slurm_mig.usage.store.frames import FILE, Pruned
from slurm_mig.usage.store.insert import missing
from slurm_mig.usage.store.piece import START
from slurm_mig.usage.store.ship import USAGE
from slurm_mig.usage.store.tail import open_file, read_piece

# Why a file stays, from its name, a handle and its size; None: it may go.
WhyNot = Callable[[str, int, int], str | None]


def prune(
    store: Store, root: Path, before: str, now: float, *, dry_run: bool = False
) -> Iterator[Pruned]:
    """Remove this node's files of months before `before` ("2026-09") that the database has whole.

    This month's and the last one's always stay: the hooks still look into them. With `dry_run`
    all of it is looked at and nothing removed. Raises UsageError, or StoreError.
    """

    def why_not(_: str, handle: int, size: int) -> str | None:
        return _not_stored(store, handle, size)

    return remove_files(root, before, now, why_not, dry_run=dry_run)


def remove_files(
    root: Path, before: str, now: float, why_not: WhyNot, *, dry_run: bool
) -> Iterator[Pruned]:
    """Remove the files of months before `before` that may go. Raises UsageError, or StoreError."""
    check_month(before, now)
    try:
        folder = rootfiles.open_folder(str(root), USAGE)
    except FileNotFoundError:
        return
    except (OSError, HookError) as error:
        raise StoreError(f"{USAGE}: {error}") from None
    try:
        for name in sorted(filter(FILE.fullmatch, os.listdir(folder))):  # noqa: PTH208 (a handle)
            if name < before:
                yield _pruned(folder, name, why_not, dry_run=dry_run)
    finally:
        os.close(folder)


def check_month(before: str, now: float) -> None:
    """That it is a month, and none of the last two. Raises UsageError."""
    today = datetime.fromtimestamp(now, UTC).date()
    last = (today.replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
    if not FILE.fullmatch(f"{before}.jsonl"):
        raise UsageError(f"--before {before!a}: write a month as {last}")
    if before > last:
        raise UsageError(
            f"--before {before}: at most {last}: the hooks look into the last 2 months"
        )


def _pruned(folder: int, name: str, why_not: WhyNot, *, dry_run: bool) -> Pruned:
    try:
        handle = open_file(name, folder)
    except OSError as error:
        return Pruned(name, 0, str(error.strerror))
    try:
        size = os.fstat(handle).st_size
        why = why_not(name, handle, size)
        if why is None and not dry_run:
            why = _remove(folder, name, handle, size)
        return Pruned(name, size, why)
    finally:
        os.close(handle)


def _not_stored(store: Store, handle: int, size: int) -> str | None:
    """What of the file is not in the database."""
    mark, lines = START, 0
    while (piece := read_piece(handle, mark)) is not None:
        batch = batch_of(piece)
        lost = missing(store, batch)
        if lost is not None:
            return f"line {lines + lost} is not in {store.name}: run `slurm-mig usage collect`"
        mark, lines = piece.end, lines + batch.lines
    if mark.position != size:
        return "half a line stands at its end: end it by hand (`echo >>` the file), and collect"
    return None


def _remove(folder: int, name: str, handle: int, size: int) -> str | None:
    """Remove the file unless a hook adds to it now; the hooks' lock is held no longer than that."""
    gate = os.open("lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600,
                   dir_fd=folder)  # fmt: skip
    try:
        flock(gate, LOCK_EX | LOCK_NB)
        now, then = os.stat(name, dir_fd=folder, follow_symlinks=False), os.fstat(handle)
        if now.st_size != size or now.st_ino != then.st_ino:
            return "it changed meanwhile: run the same command again"
        rootfiles.remove(folder, name)
        os.fsync(folder)
        return None
    except BlockingIOError:
        return "a hook writes records just now: run the same command again"
    finally:
        os.close(gate)
