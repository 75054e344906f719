"""Root's JSON files in /var/lib/slurm-mig: how they are read by someone who believes nothing."""

import json
import os
from collections.abc import Callable
from errno import ELOOP, ENOTDIR
from pathlib import Path
from typing import Any

from slurm_mig.errors import HookError, JournalError
from slurm_mig.files import sync_folder, under
from slurm_mig.gpu.checked import Checked
from slurm_mig.system import rootfiles

FOLDER = "/var/lib/slurm-mig"
MODE = 0o600
_LIMIT = 1 << 20
_LINK = (ELOOP, ENOTDIR)  # what O_NOFOLLOW answers for a link to a file, and to a folder


def path_of(root: Path, name: str) -> Path:
    """Where the file lies below `root`."""
    return under(root, f"{FOLDER}/{name}")


def ready(root: Path) -> None:
    """Have the folder, root's alone. Raises JournalError."""
    try:
        os.close(rootfiles.open_folder(str(root), FOLDER, make=0o755))
        sync_folder(under(root, FOLDER).parent)  # the folder itself must outlive a power loss too
    except OSError as why:
        raise JournalError(f"{FOLDER}: {why.strerror}: nothing was changed") from None
    except HookError as why:
        raise JournalError(str(why)) from None


def read(root: Path, name: str) -> object | None:
    """What the file holds; None where there is none. Raises JournalError."""
    where = f"{FOLDER}/{name}"
    try:
        data = rootfiles.read_in(str(root), FOLDER, name, _LIMIT)
        found: object = json.loads(data)
    except FileNotFoundError:
        return None
    except OSError as why:
        help_ = (
            "it and its folder must be root's own, no link" if why.errno in _LINK else "see to it"
        )
        raise JournalError(f"{where}: {why.strerror}: {help_}") from None
    except HookError as why:
        raise JournalError(f"{where}: {why}: see who did that, then remove it") from None
    except (ValueError, RecursionError) as why:
        raise JournalError(f"{where}: not JSON ({why}): {_HELP}") from None
    if found is None:  # JSON's null: there is a file all the same
        raise JournalError(f"{where}: not an object: {_HELP}")
    return found


def checked(name: str, found: object, version: int) -> tuple[Checked, list[str]]:
    """The object to read from, and the list in which its problems will be."""
    problems: list[str] = []
    top = Checked(found, "", problems)
    if not problems and top.number("version") != version and not problems:
        top.note("version", f"written by another slurm-mig; this one reads {version}")
    return top, problems


def must_be_clean(name: str, problems: list[str]) -> None:
    """JournalError if there are any problems."""
    if problems:
        raise JournalError(f"{FOLDER}/{name}: {'; '.join(problems)}: {_HELP}")


def must(act: Callable[[], Any], consequence: str, is_open: str) -> None:
    """Change a file here, or JournalError.

    `consequence` is what follows from a failure, `is_open` what it means that a file is there.
    """
    try:
        act()
    except FileExistsError as why:
        raise JournalError(
            f"{why.filename2 or why.filename}: {is_open}: run `slurm-mig recover`"
        ) from None
    except OSError as why:
        where = why.filename or FOLDER
        raise JournalError(f"{where}: {why.strerror}: {consequence}") from None


_HELP = (
    "see what is on the GPUs with `slurm-mig discover`, move the file away, and apply the "
    "wanted configuration again"
)
