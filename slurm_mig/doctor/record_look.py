"""The usage records on this node: whether there is room for more, and whether they are fetched."""

import os
from collections.abc import Iterator
from pathlib import Path

from slurm_mig.doctor.monitor_facts import RecordFacts
from slurm_mig.errors import HookError, Refused, SlurmMigError
from slurm_mig.files import under
from slurm_mig.system import rootfiles
from slurm_mig.usage import settings
from slurm_mig.usage.store.frames import FILE
from slurm_mig.usage.store.shape import MAX_LINE
from slurm_mig.usage.store.ship import USAGE
from slurm_mig.usage.store.tail import open_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from slurm_mig.usage.store.database import Store

_MIB = 1 << 20
_SQLITE = "sqlite:///"
_BUSY_S = 2.0


def look(root: Path) -> RecordFacts:
    """All of it. Raises SlurmMigError where the records, or the database, cannot be looked at."""
    database, why = _database(root)
    try:
        folder = rootfiles.open_folder(str(root), USAGE)
    except FileNotFoundError:  # no job has ended here yet
        return RecordFacts(settings_problem=why)
    except (HookError, OSError) as error:
        return RecordFacts(problem=_reason(error), settings_problem=why)
    try:
        room = os.fstatvfs(folder)
        files = sorted(_files(folder))
    finally:
        os.close(folder)
    return RecordFacts(
        problem="it is on a file system that is read-only" if room.f_flag & os.ST_RDONLY else None,
        settings_problem=why,
        free_mib=room.f_bavail * room.f_frsize / _MIB,
        held_mib=sum(size for _, size in files) / _MIB,
        oldest=files[0][0].removesuffix(".jsonl") if files else None,
        uncollected_since=_uncollected_since(root, database, files) if database else None,
    )


def _reason(error: HookError | OSError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _database(root: Path) -> tuple[Path | None, str | None]:
    """The file of this machine's own database, if there is one, and what is wrong in [usage].

    A server is not asked: it may let us wait.
    """
    try:
        url = settings.load(root).database
    except Refused as why:
        return None, "; ".join(why.problems)
    path = under(root, url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None
    return (path if path is not None and path.is_file() else None), None


def _files(folder: int) -> Iterator[tuple[str, int]]:
    """The files of records and their sizes."""
    with os.scandir(folder) as found:
        for entry in found:
            if FILE.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                yield entry.name, entry.stat(follow_symlinks=False).st_size


def _uncollected_since(root: Path, database: Path, files: list[tuple[str, int]]) -> float | None:
    """When the first record ended that the database lacks, of those behind what was read.

    One that came by another way (a copy, or from afar by another name) is there all the same.
    """
    from slurm_mig.usage.store.collect import here
    from slurm_mig.usage.store.database import opened
    from slurm_mig.usage.store.insert import places

    own, found = under(root, USAGE), []
    with opened(root, f"{_SQLITE}{database}", busy_s=_BUSY_S) as store:
        known = places(store, here(own))
        for name, size in files:
            place = known.get(here(own / name))
            position = 0 if place is None or place.mark.position > size else place.mark.position
            end = _lacking(store, own / name, position) if position < size else None
            found += [] if end is None else [end]
    return min(found, default=None)


def _lacking(store: "Store", path: Path, position: int) -> float | None:
    """When the job of the record at `position` ended; None where the database has that record.

    Of a line without such an end: when the file was changed.
    """
    from slurm_mig.usage.store.batch import Batch, Good
    from slurm_mig.usage.store.insert import missing
    from slurm_mig.usage.store.shape import Damaged, parse

    try:
        handle = open_file(path)
        try:
            line = os.pread(handle, MAX_LINE, position).partition(b"\n")[0]
            changed = os.fstat(handle).st_mtime
        finally:
            os.close(handle)
        parsed = parse(line)
    except OSError as error:
        raise SlurmMigError(f"{path}: {error.strerror}") from None
    except Damaged:
        return changed
    if missing(store, Batch([Good(1, parsed, line.decode())], [], 0, 1)) is None:
        return None
    return changed if parsed.job.end is None else min(parsed.job.end, changed)
