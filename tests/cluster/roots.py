"""Which Slurms there are, where their files lie, and how a root folder of one is built.

Debian carries one Slurm a release. The machine's own release is used as it is installed;
another's lives in a lean root folder in the cache, built once by `python -m tests.cluster setup`.
"""

import contextlib
import fcntl
import functools
import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import apt

SUITES = {"22.05": "bookworm", "24.11": "trixie", "26.05": "sid"}
GATING = ("22.05", "24.11")  # sid moves: it never gates
PACKAGES = (
    *("slurmctld", "slurmd", "slurm-client", "slurmdbd", "munge"),
    *("base-files", "bash", "coreutils", "dash", "findutils", "grep", "hostname", "procps", "sed"),
    *("util-linux", "libc-bin", "mawk", "python3"),
)
NVML_PLUGIN = "slurm-wlm-nvml-plugin"  # Debian contrib
UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/locale")
RECIPE = 3  # counted up when what is done below changes


@dataclass(frozen=True, slots=True)
class Slurm:
    """A Slurm to run: `root` holds its /usr and /etc, `nvml` is where its gpu_nvml.so is.

    Both are absolute; `root` is "/" when the machine's own packages are meant.
    """

    version: str
    root: Path
    nvml: Path

    @property
    def is_host(self) -> bool:
        """Whether the programs are the machine's own."""
        return self.root == Path("/")

    def plugin_dir(self, nvml: Path | str | None) -> str:
        """PluginDir: Debian's own plugins and, if given, a folder that holds gpu_nvml.so."""
        own = f"/usr/lib/{triplet()}/slurm-wlm"
        return own if nvml is None else f"{own}:{nvml}"


def find(version: str) -> Slurm:
    """The Slurm of a release that `setup` made ready. Raises apt.SetupError."""
    if version not in SUITES:
        raise apt.SetupError(f"no Slurm {version} here: there are {', '.join(SUITES)}")
    root, nvml = _root(version), _nvml(version)
    if not nvml.is_dir() or not (root / "usr/sbin/slurmd").exists():
        system = "" if version in GATING else " --system"
        raise apt.SetupError(
            f"Slurm {version} is not set up: run `python -m tests.cluster setup{system}`"
        )
    library = f"usr/lib/{triplet()}/slurm-wlm"
    return Slurm(version, root, nvml / library)


def cache() -> Path:
    """The folder in which builds are kept between runs."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home).absolute() / "slurm-mig"


def build(version: str) -> None:
    """Make what `find` needs, as far as it is not there. Raises apt.SetupError."""
    suite = SUITES[version]
    with lock():
        if not _root(version).exists():
            with renamed_when_done(_root(version)) as folder:
                apt.unpack(PACKAGES, suite, folder)
                _finish(folder)
        if not _nvml(version).exists():
            with renamed_when_done(_nvml(version)) as folder:
                apt.unpack([NVML_PLUGIN], suite, folder, alone=True)


@functools.cache
def host_release() -> str:
    """The code name of this machine's Debian."""
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "")


def _root(version: str) -> Path:
    if SUITES[version] == host_release():
        return Path("/")
    return cache() / f"root-{stamp(version)}"


def _nvml(version: str) -> Path:
    return cache() / f"nvml-{stamp(version)}"


def stamp(version: str) -> str:
    """What changes with all that goes into a root folder."""
    recipe = repr((PACKAGES, NVML_PLUGIN, UNUSED, RECIPE, SUITES[version], platform.machine()))
    return f"{SUITES[version]}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def triplet() -> str:
    """How Debian calls this kind of machine."""
    return f"{platform.machine()}-linux-gnu"


def _finish(root: Path) -> None:
    for name in UNUSED:
        shutil.rmtree(root / name, ignore_errors=True)
    # What update-alternatives would have done.
    for program in (root / "usr/sbin").glob("*-wlm"):
        program.with_name(program.name.removesuffix("-wlm")).symlink_to(program.name)
    (root / "usr/bin/awk").symlink_to("mawk")
    # Where a node's own are shown.
    for name in ("passwd", "group", "hosts"):
        (root / "etc" / name).touch()
    for name in ("slurm", "slurm-mig"):
        (root / "etc" / name).mkdir(exist_ok=True)


@contextlib.contextmanager
def renamed_when_done(target: Path) -> Iterator[Path]:
    """A folder to fill; it becomes `target` in one step, or vanishes if the block fails."""
    folder = Path(tempfile.mkdtemp(prefix=".making-", dir=target.parent))
    try:
        yield folder
        folder.chmod(0o755)
        folder.rename(target)
    finally:
        if folder.exists():
            shutil.rmtree(folder)


@contextlib.contextmanager
def lock() -> Iterator[None]:
    """Only one set-up at a time fills the cache."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
