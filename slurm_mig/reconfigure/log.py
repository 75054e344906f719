"""One line of JSON for each phase that ended, in /var/log/slurm-mig/reconfigure.jsonl."""

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from slurm_mig.errors import HookError
from slurm_mig.reconfigure.world import Event
from slurm_mig.system import rootfiles

FOLDER, NAME = "/var/log/slurm-mig", "reconfigure.jsonl"
VERSION = 1
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def write(root: Path, node: str, run_id: str, event: Event) -> None:
    """Add the line of a phase that is over. A log that cannot be written stops nothing."""
    if event.state not in ("held", "ended", "failed"):
        return
    line: dict[str, Any] = {
        "version": VERSION,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "node": node,
        "run": run_id,
        "phase": event.phase,
        "goal": event.goal,
        "state": event.state,
        "seconds": round(event.seconds, 3),
    }
    if event.text:
        line["problem"] = event.text
    with suppress(OSError, HookError):
        folder = rootfiles.open_folder(str(root), FOLDER, make=0o755)
        try:
            handle = os.open(NAME, _FLAGS, 0o640, dir_fd=folder)
        finally:
            os.close(folder)
        try:
            os.write(handle, f"{json.dumps(line)}\n".encode())
        finally:
            os.close(handle)
