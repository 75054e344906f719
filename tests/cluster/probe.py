"""Which device nodes of a machine this process may open: what a job on slices must be asked.

Run as a script (`python3 -I -S probe.py`) by jobs on any node: only the standard library.
It prints one JSON object: the host, the task, what Slurm told the job, and per path the
outcome of open(2): "open", or the errno's name. With simulated nodes ENXIO means that the
device cgroup allows the node (no driver answers behind it), EPERM that it does not.
"""

import errno
import json
import os
import socket
from pathlib import Path

PATTERNS = ("nvidia[0-9]*", "nvidia-caps/nvidia-cap*")
TOLD = ("SLURM_JOB_ID", "SLURM_PROCID", "SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "CUDA_VISIBLE_DEVICES")


def outcome(path: str) -> str:
    """What open(2) says of a path."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
    except PermissionError:
        # The node's own mode may allow reading only: caps are 0444.
        return _reading(path)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "open"


def _reading(path: str) -> str:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "open"


def main() -> None:
    """Try every NVIDIA node that a gres.conf can name."""
    paths = sorted(str(path) for pattern in PATTERNS for path in Path("/dev").glob(pattern))
    told = {key: os.environ[key] for key in TOLD if key in os.environ}
    tried = {path: outcome(path) for path in paths}
    answer = {"host": socket.gethostname(), "told": told, "devices": tried, "live": live_caps()}
    print(json.dumps(answer))


def live_caps() -> list[str]:
    """The caps that the driver has something behind: nodes of what is gone may lie around."""
    minors = []
    for file in Path("/proc/driver/nvidia/capabilities").glob("gpu*/mig/gi*/**/access"):
        for line in file.read_text().splitlines():
            key, _, value = line.partition(":")
            if key == "DeviceFileMinor":
                minors.append(f"/dev/nvidia-caps/nvidia-cap{int(value)}")
    return minors


if __name__ == "__main__":
    main()
