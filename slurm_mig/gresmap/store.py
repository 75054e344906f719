"""Where the map lies, and how it is written and read."""

import binascii
import json
import os
from pathlib import Path
from typing import Any

from slurm_mig.errors import SlurmMigError
from slurm_mig.files import under, write_atomic
from slurm_mig.system.ownlines import own_lines

MAP = "/run/slurm-mig/gres-map.json"
_AS_IT_MUST_BE = 0o100644  # a regular file (no link) that all may read


def write(root: Path, made: dict[str, Any]) -> bool:
    """Put the map in its place; false if one that says the same was there already.

    That one's time tells then that it still held. Raises SlurmMigError where it cannot be written.
    """
    path = under(root, MAP)
    try:
        if _same(path, made):
            os.utime(path)
            return False
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        # One line an entry: a person can read it, and `diff` shows what changed.
        write_atomic(path, text_of(made))
        # It keeps what it finds, but the hooks believe a file only if it is root's alone.
        path.chmod(0o644)
        os.chown(path, os.geteuid(), os.getegid())
    except OSError as why:
        raise SlurmMigError(f"{path}: {why.strerror}") from why
    return True


def read(root: Path) -> dict[str, Any]:
    """The map as it lies there; {} where there is none. Raises SlurmMigError."""
    path = under(root, MAP)
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as why:
        raise SlurmMigError(f"{path}: {why.strerror}") from why
    except ValueError as why:
        raise SlurmMigError(f"{path}: damaged: make it anew with `slurm-mig gres-map`") from why
    return found if isinstance(found, dict) else {}


def remove(root: Path) -> bool:
    """Take the map away, so that no hook trusts it; whether there was one. Raises SlurmMigError."""
    path = under(root, MAP)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as why:
        raise SlurmMigError(f"{path}: {why.strerror}: remove it, hooks would trust it") from why
    return True


def state_of(path: Path, node: str) -> dict[str, int | str] | None:
    """By what hooks tell whether a gres.conf still says the same to a node.

    None where it cannot be read.
    """
    try:
        data, found = path.read_bytes(), path.stat()
    except OSError:
        return None
    crc32 = binascii.crc32(own_lines(data, node))
    return {"path": str(path), "mtime_ns": found.st_mtime_ns, "crc32": crc32}


def holds(root: Path, gres_conf: Path, node: str, since: float | None) -> bool:
    """Whether a gres.conf says to the node what it said when the map was made, or held, last.

    That must have been `since` some time, in seconds since 1970: when slurmd started.
    """
    try:
        told, when = read(root).get("gres_conf"), under(root, MAP).stat().st_mtime
    except (SlurmMigError, OSError):
        return False
    now = state_of(gres_conf, node)
    if since is None or when < since or now is None or not isinstance(told, dict):
        return False
    return all(told.get(key) == now[key] for key in ("path", "crc32"))


def text_of(made: dict[str, Any]) -> str:
    """The map as it is written: the head on one line, then one line for each gres."""
    head = {key: value for key, value in made.items() if key != "gres"}
    entries = ",\n ".join(json.dumps(entry) for entry in made["gres"])
    start = json.dumps(head).removesuffix("}")
    return f'{start}, "gres": [\n {entries}\n]}}\n' if entries else f'{start}, "gres": []}}\n'


def _same(path: Path, made: dict[str, Any]) -> bool:
    """Whether the file says what `made` says, but for the time, to all who want to know."""
    try:
        found = path.lstat()
        if found.st_mode != _AS_IT_MUST_BE or found.st_uid != os.geteuid():
            return False
        old = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(old, dict) and {**old, "made_at": made["made_at"]} == made
