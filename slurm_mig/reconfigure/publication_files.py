"""The records of publications on the disk: there from before the first write until the commit."""

import json
import os
from contextlib import suppress
from pathlib import Path

from slurm_mig.errors import HookError, JournalError
from slurm_mig.files import sync_folder, under, write_atomic, write_new
from slurm_mig.reconfigure.publication import Publication, from_json, to_json
from slurm_mig.system import rootfiles

FOLDER = "/var/lib/slurm-mig/publications"
_LIMIT = 1 << 28
_MODE = 0o600


def begin(root: Path, name: str, publication: Publication) -> None:
    """Write down what will be published, with the former texts. Raises JournalError.

    Of two with one name, one begins. `name` is the reconfigure's own.
    """
    _folder(root, make=True)
    path = _path(root, name)
    try:
        write_new(path, _text(publication), _MODE)
    except FileExistsError:
        raise JournalError(f"{path}: a publication of this name is not at its end") from None
    except OSError as why:
        raise JournalError(f"{path}: {why.strerror}: nothing was changed") from None


def look(root: Path, name: str) -> Publication | None:
    """The publication of this name that has begun and not been committed. Raises JournalError."""
    try:
        data = rootfiles.read_in(str(root), FOLDER, _file_name(name), _LIMIT)
        found = json.loads(data)
    except FileNotFoundError:
        return None
    except (OSError, HookError, ValueError, RecursionError) as why:
        raise JournalError(f"{_path(root, name)}: {why}") from None
    if not isinstance(found, dict):
        raise JournalError(f"{_path(root, name)}: no record of a publication")
    return from_json(found)


def begun(root: Path, name: str) -> Publication:
    """As look(), but JournalError where there is none."""
    found = look(root, name)
    if found is None:
        raise JournalError(f"{_path(root, name)}: there is no such publication")
    return found


def rewrite(root: Path, name: str, publication: Publication) -> None:
    """Write down other texts, before the files get them. Raises JournalError."""
    try:
        write_atomic(_path(root, name), _text(publication), _MODE)
    except OSError as why:
        raise JournalError(f"{_path(root, name)}: {why.strerror}: nothing was changed") from None


def commit(root: Path, name: str) -> None:
    """It is at its end, for good or undone: remove the record. Raises JournalError."""
    path = _path(root, name)
    try:
        with suppress(FileNotFoundError):
            path.unlink()
            sync_folder(path.parent)
    except OSError as why:
        raise JournalError(f"{path}: {why.strerror}") from None


def _text(publication: Publication) -> str:
    return json.dumps(to_json(publication)) + "\n"


def _folder(root: Path, make: bool) -> None:
    try:
        os.close(rootfiles.open_folder(str(root), FOLDER, make=0o755 if make else None))
    except OSError as why:
        raise JournalError(f"{FOLDER}: {why.strerror}: nothing was changed") from None
    except HookError as why:
        raise JournalError(str(why)) from None


def _path(root: Path, name: str) -> Path:
    return under(root, f"{FOLDER}/{_file_name(name)}")


def _file_name(name: str) -> str:
    if (
        not name
        or not all(letter.isalnum() or letter in "-_." for letter in name)
        or name[0] == "."
    ):
        raise JournalError(f"{name!r} is no name of a publication")
    return f"{name}.json"
