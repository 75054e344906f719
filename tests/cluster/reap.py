"""End every process of a cluster and remove its cgroups: `reap.py GROUP`.

Being in the cluster's own cgroup is the proof that a process is the cluster's: every process
that `up`, `exec` or Slurm started is in it, none can leave it, and no pid is ever guessed.
Only the standard library, and no package: it is run as a file, in a mount namespace of its own.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import enter  # type: ignore[import-not-found, unused-ignore]

HIERARCHIES = ("devices", "freezer", enter.UNIFIED)
LIMIT_S = 20.0


def main(group: str) -> int:
    """0 when nothing is left of the group, 1 when something would not go."""
    enter.unshare("mount")
    enter.empty("/sys/fs/cgroup")
    trees = [enter.hierarchy(name, f"/sys/fs/cgroup/{name}") / group for name in HIERARCHIES]
    end = time.monotonic() + LIMIT_S
    while any(tree.exists() for tree in trees):
        for folder in _folders(trees):
            _thaw(folder)
            _kill(folder)
            with contextlib.suppress(OSError):  # busy until its last process is gone
                folder.rmdir()
        if time.monotonic() > end:
            print(f"cgroup {group} is still busy after {LIMIT_S:.0f} s", file=sys.stderr)
            return 1
        time.sleep(0.01)
    return 0


def _folders(trees: list[Path]) -> Iterator[Path]:
    for tree in trees:
        for folder, _, _ in os.walk(tree, topdown=False):
            yield Path(folder)


def _thaw(folder: Path) -> None:
    state = folder / "freezer.state"
    with contextlib.suppress(OSError):
        if state.exists():
            state.write_text("THAWED")


def _kill(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for pid in (folder / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
