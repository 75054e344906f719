"""Real processes with device nodes open, as a machine below some root shows them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.sim import proc

WAIT = """\
import os, sys
uid = int(sys.argv[1])
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
    command = [sys.executable, "-I", "-c", WAIT, str(uid)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        folder = root / f"proc/{process.pid}"
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            proc.show(folder, process.pid, [root / path.lstrip("/") for path in paths])
            for name, shown in (
                ("cgroup", f"0::{cgroup}\n".encode()),
                ("cmdline", b"".join(word + b"\0" for word in words)),
            ):
                if name == "cgroup" or words:
                    (folder / name).unlink()
                    (folder / name).write_bytes(shown)
            os.chown(folder, uid, uid)
            yield process
        finally:
            process.kill()
            shutil.rmtree(folder, ignore_errors=True)
