"""pyslurm, built from its source on PyPI for the Slurm of Debian sid.

No release of pyslurm fits that Slurm, and it refuses others: its version file is changed, and
the names that Slurm 26.05 changed are given by CFLAGS. Built for tests only, without
optimisation.
"""

import hashlib
import re
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.cluster import apt, roots

VERSION = "25.11.2"
AS = {"26.05": "26.5.0"}  # what it is called when built for that Slurm
PACKAGES = (
    *("gcc", "libc6-dev", "python3-dev", "libslurm-dev", "cython3"),
    *("python3-setuptools", "python3-packaging", "python3-wheel"),
)
CFLAGS = (
    "-O0 -DSLURM_BACKWARD_COMPAT -Dslurm_free_ctl_conf=slurm_free_conf"
    " -DESLURM_ERROR_ON_DESC_TO_RECORD_COPY=2999"
)
# Its set-up asks which Slurm there is before it tells its name, which pip wants to know.
_HEADER = "#define SLURM_VERSION_NUMBER 0x190b02\n"
_BUILD = """\
mount --bind /dev "$0/dev" && mount -t proc proc "$0/proc" && exec chroot "$0" \
    sh -c 'cd /source && exec python3 setup.py build_ext --inplace'
"""


def find(slurm: str) -> Path:
    """The folder that has the package. Raises apt.SetupError where it was not built."""
    place = _place(slurm)
    if not place.is_dir():
        raise apt.SetupError("no pyslurm: run `python -m tests.cluster setup --system`")
    return place


def build(slurm: str) -> None:
    """Build it, if it is not there. Raises apt.SetupError."""
    if slurm not in AS or _place(slurm).is_dir():
        return
    with roots.renamed_when_done(_place(slurm)) as done, tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        root.mkdir()
        apt.unpack((*roots.PACKAGES, *PACKAGES), roots.SUITES[slurm], root)
        source = _source(Path(name)).rename(root / "source")
        version = source / "pyslurm/version.py"
        version.write_text(re.sub(r'"[\d.]+"', f'"{AS[slurm]}"', version.read_text()))
        for folder in ("dev", "proc", "tmp"):
            (root / folder).mkdir(exist_ok=True)
        library = f"/usr/lib/{roots.triplet()}/slurm-wlm"
        flags = {"CFLAGS": CFLAGS, "CC": "gcc", "LDSHARED": "gcc -shared"}
        where = {"SLURM_LIB_DIR": library, "SLURM_INCLUDE_DIR": "/usr/include"}
        path = "/usr/bin:/bin:/usr/sbin:/sbin"
        command = ["unshare", "--mount", "sh", "-c", _BUILD, str(root)]
        apt.run(command, None, PATH=path, **flags, **where)
        shutil.copytree(source / "pyslurm", done / "pyslurm")


def _source(folder: Path) -> Path:
    """Its source, unpacked. Nothing of it is installed here."""
    header = folder / "include/slurm/slurm_version.h"
    header.parent.mkdir(parents=True)
    header.write_text(_HEADER)
    (folder / "libslurmfull.so").touch()
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    pip += ["--no-binary", "pyslurm", f"pyslurm=={VERSION}"]
    where = {"SLURM_LIB_DIR": str(folder), "SLURM_INCLUDE_DIR": str(folder / "include")}
    apt.run(pip, folder, **where)
    (archive,) = folder.glob("pyslurm-*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder / f"pyslurm-{VERSION}"


def _place(slurm: str) -> Path:
    recipe = repr((VERSION, AS[slurm], PACKAGES, CFLAGS))
    made = hashlib.sha256(recipe.encode()).hexdigest()[:8]
    return roots.cache() / f"pyslurm-{slurm}-{roots.stamp(slurm)}-{made}"
