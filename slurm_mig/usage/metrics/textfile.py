"""The metrics in a file, for node_exporter's textfile collector."""

import os
from pathlib import Path

from slurm_mig.errors import HookError, SlurmMigError
from slurm_mig.system import rootfiles

NAME = "slurm_mig.prom"


def write(root: Path, folder: str, data: bytes) -> None:
    """Put it there, whole or not at all; readable by all. Raises SlurmMigError.

    A folder that is missing is made, because /run is empty after a boot.
    The folder, and each on the way, must be root's alone: else a user could put a link there.
    """
    try:
        handle = rootfiles.open_folder(str(root), folder, make=0o755)
        try:
            rootfiles.replace_file(handle, NAME, data, 0o644)
        finally:
            os.close(handle)
    except HookError as why:
        raise SlurmMigError(f"[monitor] textfile_dir: {why}") from None
    except OSError as why:
        raise SlurmMigError(f"[monitor] textfile_dir: {folder}: {why.strerror}") from None


def remove(root: Path, folder: str) -> None:
    """Take it away: what it says is over. Nothing is said where that fails."""
    try:
        handle = rootfiles.open_folder(str(root), folder)
        try:
            rootfiles.remove(handle, NAME)
        finally:
            os.close(handle)
    except (OSError, HookError):
        return
