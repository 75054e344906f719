"""Carry a publication out, or back: look at each file, act on the difference, stop anywhere.

    begin()      the record is on the disk, and nothing is changed
    carry_out()  every file has its new text
    undo()       every file has its former text; its nodes', where others have written since
    commit()     the record is gone

Each can be repeated after a crash in any of them. No daemon is started, stopped or told.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from difflib import unified_diff
from functools import partial
from pathlib import Path

from slurm_mig.errors import Refused, SlurmMigError
from slurm_mig.files import sync_folder, write_atomic
from slurm_mig.reconfigure.publication import (
    Change,
    Publication,
    again,
    digest,
    real,
    text_of,
    undone,
)
from slurm_mig.reconfigure.publication_files import begin, begun, commit, look, rewrite
from slurm_mig.reconfigure.sidecar import Ledger, locked

__all__ = ["begin", "carry_out", "commit", "diff", "look", "undo"]


def carry_out(root: Path, name: str, wait_s: float) -> tuple[str, ...]:
    """Give every file its new text; the paths of those that had to be written.

    A file that another reconfigure has changed since keeps that change too.
    Raises Refused, before the first write, with the diff of what was changed by hand.
    """
    publication = begun(root, name)
    with _locked(publication, wait_s) as ledger:
        _sweep(publication)
        wanted = publication.changes
        if not _must_be_ours(wanted, ledger):
            wanted = _rebased(publication)
            rewrite(root, name, publication._replace(changes=wanted))
        return _write(wanted, ledger)


def undo(root: Path, name: str, wait_s: float) -> tuple[str, ...]:
    """Give every file its former text back; the paths of those that had to be written.

    Raises Refused, before the first write, with the diff of what was changed by hand.
    """
    publication = begun(root, name)
    with _locked(publication, wait_s) as ledger:
        _sweep(publication)
        _must_be_ours(publication.changes, ledger)
        untouched = [one for one in publication.changes if _now(one) == digest(one.new)]
        done = _write([_turned(one) for one in untouched if one.old is not None], ledger)
        for change in untouched:
            if change.old is None:
                _remove(change.path)
                done += (change.path,)
        # What others have written since is not taken back with it.
        return tuple(dict.fromkeys([*done, *_write(undone(publication), ledger)]))


def diff(changes: Sequence[Change]) -> list[str]:
    """What they change, for people, as the lines of a unified diff."""
    return [
        line
        for change in changes
        for line in _diff(change.old, change.new, change.path, f"{change.path} (new)")
    ]


def _must_be_ours(changes: Sequence[Change], ledger: Ledger) -> bool:
    """Whether every file is as it was, or as it shall be; False where another of us wrote it.

    Refused where it was changed by hand.
    """
    expected, edited = True, []
    for change in changes:
        now = _now(change)
        if now in (digest(change.old), digest(change.new)):
            continue
        expected = False
        if not ledger.knows(change.path, now):
            edited += _diff(
                change.old, text_of(change.path), f"{change.path} (as it was)", change.path
            )
    if edited:
        raise Refused("changed by hand since this reconfigure began; nothing was written", edited)
    return expected


def _rebased(publication: Publication) -> tuple[Change, ...]:
    """The changes for the files as they are; of those that have their new text, as it was."""
    done = {one.path: one for one in publication.changes if _now(one) == digest(one.new)}
    new = {one.path: one for one in again(publication)}
    return tuple({**new, **done}.values())


def _write(changes: Sequence[Change], ledger: Ledger) -> tuple[str, ...]:
    written = []
    for change in changes:
        if _now(change) == digest(change.new):
            continue
        digests = digest(change.old), digest(change.new)
        _must(change.path, partial(ledger.add, change.path, *digests))
        _must(change.path, partial(write_atomic, Path(change.path), change.new))
        written.append(change.path)
    return tuple(written)


def _sweep(publication: Publication) -> None:
    """Remove the drafts of processes that were killed: nobody else writes, we have the lock."""
    for path in (Path(change.path) for change in publication.changes):
        for draft in path.parent.glob(f".{path.name}.*"):
            pid, _, number = draft.name.removeprefix(f".{path.name}.").partition(".")
            if pid.isdecimal() and number.isdecimal() and not Path("/proc", pid).exists():
                with suppress(OSError):
                    draft.unlink()


def _must(path: str, act: Callable[[], object]) -> None:
    try:
        act()
    except OSError as why:
        raise SlurmMigError(f"{path}: {why.strerror}: it was not changed") from None


def _remove(path: str) -> None:
    def remove() -> None:
        Path(path).unlink(missing_ok=True)
        sync_folder(Path(path).parent)

    _must(path, remove)


def _turned(change: Change) -> Change:
    return Change(change.path, change.new, change.old or "")


def _now(change: Change) -> str:
    return digest(text_of(change.path))


def _diff(old: str | None, new: str | None, before: str, after: str) -> list[str]:
    was, now = (old or "").split("\n"), (new or "").split("\n")
    return list(unified_diff(was, now, before, after, lineterm=""))


def _locked(publication: Publication, wait_s: float) -> AbstractContextManager[Ledger]:
    paths = [wish.path for wish in publication.gres]
    if publication.conf is not None:
        paths.append(real(publication.conf.path))
    return locked(paths, wait_s)
