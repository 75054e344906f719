"""A real browser for pages that we make: Debian's chromium-headless-shell, in a folder of its own.

It sees the folder that it is given, no other file of this machine, and no network.
"""

import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.cluster import apt, roots

PACKAGES = ("chromium-headless-shell", "fonts-dejavu-core")
SUITE = "bookworm"
RECIPE = 1  # counted up when what is done below changes
LIMIT_S = 60
_PROGRAM = "/usr/lib/chromium/chromium-headless-shell"
_NOBODY = 65534
# The folder's /dev, /proc and /tmp are this run's alone, and vanish with its mount namespace.
_INSIDE = f"""\
root=$1 work=$2; shift 2
ip link set lo up 2>/dev/null || true
mount -t tmpfs tmpfs "$root/dev"
for each in null:3 zero:5 urandom:9 random:8; do
    mknod -m 666 "$root/dev/${{each%:*}}" c 1 "${{each#*:}}"
done
mkdir -m 1777 "$root/dev/shm"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir "$root/tmp/work"
mount --bind "$work" "$root/tmp/work"
HOME=/tmp XDG_CACHE_HOME=/tmp/cache exec chroot --userspec={_NOBODY}:{_NOBODY} "$root" "$@"
"""


def find() -> Path:
    """The browser's root folder. Raises apt.SetupError where `setup --usage` did not run."""
    root = _root()
    if not (root / _PROGRAM.lstrip("/")).exists():
        raise apt.SetupError("no browser: run `python -m tests.cluster setup --usage`")
    return root


def build() -> None:
    """Make what find() needs, if it is not there. Raises apt.SetupError."""
    with roots.lock():
        if _root().exists():
            return
        with roots.renamed_when_done(_root()) as folder:
            apt.unpack(PACKAGES, SUITE, folder)
            for name in roots.UNUSED:
                shutil.rmtree(folder / name, ignore_errors=True)
            for name in ("dev", "proc", "tmp"):
                (folder / name).mkdir(exist_ok=True)


def run(work: Path, *options: str) -> tuple[str, str]:
    """What the browser prints and says when it opens page.html of `work`, there /tmp/work.

    It writes there what `options` ask for (`--screenshot=/tmp/work/page.png`).
    """
    work.chmod(0o777)  # the browser is nobody
    apart = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
    browser = [
        _PROGRAM,
        "--no-sandbox",  # it has no rights to begin with
        "--disable-gpu",
        "--hide-scrollbars",
        "--user-data-dir=/tmp/profile",
        "--enable-logging=stderr",
        *options,
        "file:///tmp/work/page.html",
    ]
    done = subprocess.run(
        [*apart, "sh", "-ec", _INSIDE, "browser", find(), work, *browser],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    return done.stdout, done.stderr


def _root() -> Path:

    recipe = repr((PACKAGES, SUITE, RECIPE, roots.triplet()))
    return roots.cache() / f"browser-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
