"""PostgreSQL's programs: the machine's own, or Debian's in the cache, not installed.

Installed, the package would make a database and start it at every boot.
"""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

from tests.cluster import apt, roots

VERSIONS = {"bookworm": "15", "trixie": "17"}


class Programs(NamedTuple):
    """Where they are: `root` is "/" for the machine's own."""

    root: Path
    version: str

    def program(self, name: str, root: Path | None = None) -> Path:
        """The path of one, maybe below where `root` is seen."""
        return (root or self.root) / f"usr/lib/postgresql/{self.version}/bin/{name}"

    def command(self, owner: str, group: str, folder: Path, name: str, *words: str) -> list[str]:
        """The words that run one as a user, with `folder` to work in.

        It ends when the process that runs these words does. The cache is root's alone: such a
        user sees it below `folder`, in a mount namespace of his own.
        """
        ids = [f"--reuid={owner}", f"--regid={group}", "--clear-groups", "--pdeathsig=INT"]
        if self.root == Path("/"):
            return ["setpriv", *ids, str(self.program(name)), *words]
        seen = folder / "programs"
        seen.mkdir(exist_ok=True)
        run = shlex.join(["exec", "setpriv", *ids, str(self.program(name, seen)), *words])
        mount = shlex.join(["mount", "--bind", str(self.root), str(seen)])
        return ["unshare", "--mount", "sh", "-e", "-c", f"{mount}; {run}"]


def find() -> Programs:
    """The programs that `setup` made ready. Raises apt.SetupError."""
    for programs in (*_installed(), *cached()):
        if programs.program("postgres").exists():
            return programs
    raise apt.SetupError("no PostgreSQL: run `python -m tests.cluster setup --usage`")


def libraries() -> list[str]:
    """Debian's packages that the programs in the cache need; none where the machine has its own."""
    if _installed():
        return []
    name = f"postgresql-{_version()}"
    listed = apt.run(["apt-cache", "depends", "--no-recommends", "--no-suggests", name])
    needs: list[str] = re.findall(r"^ +Depends: ((?:lib|zlib)\S+)$", listed, re.MULTILINE)
    return [need for need in needs if not need.startswith("libllvm")]  # 100 MB, for long queries


def build() -> None:
    """Put them into the cache, where the machine has none. Raises apt.SetupError."""
    if _installed():
        return
    with roots.lock():
        (programs,) = cached()
        if not programs.root.exists():
            names = [f"postgresql-{programs.version}", f"postgresql-client-{programs.version}"]
            with roots.renamed_when_done(programs.root) as folder:
                apt.unpack(names, roots.host_release(), folder, alone=True)


def cached() -> list[Programs]:
    """Where they are in the cache, or would be; empty for a release whose version is not known."""
    version = VERSIONS.get(roots.host_release())
    if version is None:
        return []
    return [Programs(roots.cache() / f"postgresql-{version}-{roots.host_release()}", version)]


def _installed() -> list[Programs]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return [Programs(Path("/"), path.parents[1].name) for path in found]


def _version() -> str:
    try:
        return VERSIONS[roots.host_release()]
    except KeyError:
        known = ", ".join(VERSIONS)
        raise apt.SetupError(f"no PostgreSQL here: install it, or use one of {known}") from None
