"""Debian's OpenSSH, unpacked and not installed: installed, it would run at the next boot."""

import hashlib
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import apt, roots

PROGRAMS = {"sshd": "usr/sbin", "ssh": "usr/bin", "ssh-keygen": "usr/bin"}
_RECIPE = 1  # counted up when what is done below changes
_MISSING = re.compile(r"^\s*(\S+) => not found$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class OpenSsh:
    """Where the programs are, and the libraries that this machine lacks for them."""

    folder: Path

    def program(self, name: str) -> str:
        """The path of one."""
        return str(self.folder / name)

    def env(self) -> dict[str, str]:
        """What they want in their environment."""
        return {"LD_LIBRARY_PATH": str(self.folder / "lib")}


def find() -> OpenSsh:
    """As it was unpacked. Raises apt.SetupError where it was not."""
    if not _folder().is_dir():
        raise apt.SetupError("no OpenSSH: run `python -m tests.cluster setup --system`")
    return OpenSsh(_folder())


def build() -> None:
    """Make what `find` needs, if it is not there. Raises apt.SetupError."""
    if _folder().is_dir():
        return
    roots.cache().mkdir(parents=True, exist_ok=True)
    with roots.renamed_when_done(_folder()) as folder:
        everything = folder / "all"
        apt.unpack(["openssh-server", "openssh-client"], roots.host_release(), everything)
        for name, place in PROGRAMS.items():
            (everything / place / name).rename(folder / name)
        (folder / "lib").mkdir()
        while missing := _missing(OpenSsh(folder)):
            for name in missing:
                found = next(everything.rglob(name))
                shutil.copy(found, folder / "lib" / name)
        shutil.rmtree(everything)


def _missing(made: OpenSsh) -> set[str]:
    """The libraries that none of them would find."""
    words = ["ldd", *(made.program(name) for name in PROGRAMS)]
    env = {**os.environ, **made.env(), "LC_ALL": "C"}
    return set(
        _MISSING.findall(subprocess.run(words, capture_output=True, text=True, env=env).stdout)
    )


def _folder() -> Path:
    recipe = repr((roots.host_release(), _RECIPE, platform.machine(), PROGRAMS))
    return roots.cache() / f"openssh-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
