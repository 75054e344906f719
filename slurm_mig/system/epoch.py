"""Which boot this is, and which partitioning of it: what tells a stale map, record or journal."""

import posix as os

from slurm_mig.errors import HookError
from slurm_mig.system import rootfiles

FOLDER = "/run/slurm-mig"
GENERATION = "generation"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def boot_id(root: str) -> str:
    """This boot's id: the one below `root` if it has one. Raises OSError."""
    try:
        return _read(f"{root}{_BOOT_ID}")
    except FileNotFoundError:
        return _read(_BOOT_ID)


def generation(root: str) -> int:
    """How often the partitioning was changed since boot; HookError if that cannot be told."""
    where = f"{FOLDER}/{GENERATION}"
    try:
        text = rootfiles.read_in(root, FOLDER, GENERATION, 64)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise HookError(f"{where}: {error.strerror}") from None
    digits = text.strip()
    if not digits.isdigit() or len(digits) > 9:
        raise HookError(f"{where} holds no number: remove it and restart slurmd")
    return int(digits)


def next_generation(root: str) -> int:
    """Say that the partitioning is about to change: every gres map is stale from now on.

    Returns the new number. Raises HookError; then nothing may be changed.
    """
    number = generation(root) + 1
    try:
        folder = rootfiles.open_folder(root, FOLDER, make=0o755)
        try:
            rootfiles.replace_file(folder, GENERATION, b"%d\n" % number, 0o644)
        finally:
            os.close(folder)
    except OSError as error:
        where = f"{FOLDER}/{GENERATION}"
        why = f"{where} could not be written: {error.strerror}"
        raise HookError(f"{why}: see to {FOLDER}, then run it again") from None
    return number


def _read(path: str) -> str:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(handle, 4096).decode("ascii", "replace").strip()
    finally:
        os.close(handle)
