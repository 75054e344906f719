"""A process in the /proc of a simulated machine: a real one, with device files open.

They are not really open: nodes without a driver cannot be, and to hold one by O_PATH would show
on every machine that looks at this host's processes, for device numbers are alike everywhere.
"""

from collections.abc import Sequence
from pathlib import Path


def show(folder: Path, pid: int, files: Sequence[Path]) -> None:
    """Make `folder` (/proc/PID below some root) what the kernel shows of this process."""
    (folder / "fd").mkdir(parents=True)
    for number, path in enumerate(files, start=3):
        (folder / "fd" / str(number)).symlink_to(path)
    for name in ("stat", "status", "exe", "cmdline", "cgroup"):
        (folder / name).symlink_to(f"/proc/{pid}/{name}")
