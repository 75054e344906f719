"""The words that a dynamic node's slurmd is started with (`slurmd -Z --conf`), kept on the disk.

Slurm forgets them with the node. They are there from before the node is deleted, so that whoever
starts its slurmd anew, after whatever crash, knows what it was and what it shall be.
"""

import json
import os
from pathlib import Path
from typing import NamedTuple

from slurm_mig.errors import HookError, JournalError
from slurm_mig.files import under, write_atomic
from slurm_mig.slurm.types import misread_node
from slurm_mig.system import rootfiles

FOLDER = "/var/lib/slurm-mig/slurmd-conf"
VERSION = 1
_LIMIT = 1 << 16


class Words(NamedTuple):
    """What slurmd is to be started with, and what it was started with before."""

    conf: str
    former: str


def keep(root: Path, node: str, words: Words) -> None:
    """Write them down; to undo, keep them the other way round. Raises JournalError."""
    path = _path(root, node)
    try:
        os.close(rootfiles.open_folder(str(root), FOLDER, make=0o755))
        write_atomic(path, json.dumps({"version": VERSION, **words._asdict()}) + "\n", 0o600)
    except OSError as why:
        raise JournalError(f"{path}: {why.strerror}: nothing was changed") from None
    except HookError as why:
        raise JournalError(str(why)) from None


def kept(root: Path, node: str) -> Words | None:
    """What was written down last; None if nothing ever was. Raises JournalError."""
    path = _path(root, node)
    try:
        folder = rootfiles.open_folder(str(root), FOLDER)
        try:
            found = json.loads(rootfiles.read_file(folder, path.name, _LIMIT))
        finally:
            os.close(folder)
        if found["version"] != VERSION:
            raise ValueError(f"version {found['version']}; this slurm-mig reads {VERSION}")
        return Words(_text(found["conf"]), _text(found["former"]))
    except FileNotFoundError:
        return None
    except (OSError, HookError, ValueError, KeyError, TypeError, RecursionError) as why:
        raise JournalError(f"{path}: {why}") from None


def _text(found: object) -> str:
    if not isinstance(found, str):
        raise ValueError(f"{found!r} is no text")
    return found


def _path(root: Path, node: str) -> Path:
    if misread_node(node):
        raise JournalError(f"{node!r} is no name of a node")
    return under(root, f"{FOLDER}/{node}.json")
