"""Real processes that have device nodes open, as a machine below some root shows them."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# By O_PATH: nodes without a driver cannot be opened as CUDA does it; /proc shows the same.
HOLD = """\
import os, sys
uid, count = int(sys.argv[1]), int(sys.argv[2])
held = [os.open(path, os.O_PATH) for path in sys.argv[3:3 + count]]
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def holding(
    root: Path,
    *paths: str,
    uid: int = 0,
    cgroup: str = "/",
    words: Sequence[bytes] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """A process with these nodes below `root` open, in a cgroup of choice, until the block ends.

    `words`: the command line that it shows.
    """
    nodes = [f"{root}{path}" for path in paths]
    command = [sys.executable, "-I", "-c", HOLD, str(uid), str(len(nodes)), *nodes]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        folder = root / f"proc/{process.pid}"
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            folder.mkdir()
            real = Path(f"/proc/{process.pid}")
            for name in ("fd", "stat", "status", "exe"):
                (folder / name).symlink_to(real / name)
            shown = b"".join(word + b"\0" for word in words) or (real / "cmdline").read_bytes()
            (folder / "cmdline").write_bytes(shown)
            (folder / "cgroup").write_text(f"0::{cgroup}\n")
            folder.chmod(0o555)
            shutil.chown(folder, uid, uid)
            yield process
        finally:
            process.kill()
            shutil.rmtree(folder, ignore_errors=True)
