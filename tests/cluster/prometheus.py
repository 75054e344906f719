"""Debian's Prometheus, unpacked and not installed: the server, and promtool."""

import hashlib
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import apt, roots

_RECIPE = 1  # counted up when what is done below changes
_PROGRAMS = ("prometheus", "promtool")


@dataclass(frozen=True, slots=True)
class Prometheus:
    """Where the programs are."""

    server: Path
    promtool: Path


def find() -> Prometheus:
    """As it was unpacked. Raises apt.SetupError where it was not."""
    folder = _folder()
    if not folder.is_dir():
        raise apt.SetupError("no Prometheus: run `python -m tests.cluster setup --usage`")
    return Prometheus(*(folder / name for name in _PROGRAMS))


def build() -> None:
    """Make what `find` needs, if it is not there. Raises apt.SetupError."""
    if _folder().is_dir():
        return
    roots.cache().mkdir(parents=True, exist_ok=True)
    with roots.renamed_when_done(_folder()) as folder:
        # Its dependencies are a web page's; the programs need the C library alone.
        apt.unpack(["prometheus"], roots.host_release(), folder / "all", alone=True)
        for name in _PROGRAMS:
            (folder / "all/usr/bin" / name).rename(folder / name)
        shutil.rmtree(folder / "all")


def _folder() -> Path:
    recipe = repr((roots.host_release(), _RECIPE, platform.machine()))
    return roots.cache() / f"prometheus-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
