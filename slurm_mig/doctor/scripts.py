"""The programs behind Prolog=, Epilog= and TaskProlog=."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from slurm_mig.doctor.facts import Script
from slurm_mig.files import under
from slurm_mig.slurm.config.conf import Conf

KEYS = ("prolog", "epilog", "taskprolog")
PACKAGE = Path(__file__).resolve().parents[1]
_OURS = (b"slurm-mig", b"slurm_mig")
_START = 1 << 16  # bytes: who calls us says so before
_GROUP_WRITES, _ALL_WRITE = 0o020, 0o002


def find_scripts(root: Path, conf: Conf) -> Mapping[str, tuple[Script, ...]]:
    """What is there of what slurm.conf names, by the key in lower case; patterns are followed."""
    return {
        key: tuple(script for value in conf.all(key) for script in _behind(root, value, conf.path))
        for key in KEYS
        if conf.all(key)
    }


def own_hooks() -> Path:
    """The folder of slurm-mig's stubs: in a wheel inside the package, in a checkout beside it."""
    installed = PACKAGE / "data" / "hooks"
    return installed if installed.is_dir() else PACKAGE.parent / "hooks"


def _behind(root: Path, value: str, conf: Path) -> Iterator[Script]:
    """Files that a value names; a relative one lies beside slurm.conf."""
    path = under(root, value) if value.startswith("/") else conf.parent / value
    for found in sorted(path.parent.glob(path.name)):
        if found.is_file():
            yield _script(found)


def _script(path: Path) -> Script:
    found = path.stat()
    try:
        with path.open("rb") as file:
            start = file.read(_START)
    except OSError:
        start = b""
    return Script(
        path=str(path),
        executable=os.access(path, os.X_OK),
        ours=any(word in start for word in _OURS),
        others_may_write=_others_may_write(found),
    )


def _others_may_write(found: os.stat_result) -> bool:
    group = bool(found.st_mode & _GROUP_WRITES) and found.st_gid != 0
    return found.st_uid != 0 or group or bool(found.st_mode & _ALL_WRITE)
