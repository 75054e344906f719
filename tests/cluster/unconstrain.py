"""Take from this node's jobs what keeps them from devices, under cgroup v2.

Slurm attaches a BPF program to some of a job's cgroups; here they are detached again (bpf(2)).
"""

import ctypes
import os
import platform
import struct
import sys
from pathlib import Path

BPF = {"x86_64": 321, "aarch64": 280}  # the system call
PROG_DETACH, CGROUP_DEVICE = 9, 6  # its command, and what kind of program
TOP = Path("/sys/fs/cgroup/system.slice")


def main() -> int:
    """How many programs there were; 0 is a failure."""
    libc, call, found = ctypes.CDLL(None), BPF[platform.machine()], 0
    for folder in [path for path in TOP.rglob("*") if path.is_dir()]:
        handle = os.open(folder, os.O_RDONLY)
        attributes = struct.pack("<IIII", handle, 0, CGROUP_DEVICE, 0).ljust(128, b"\0")
        found += libc.syscall(call, PROG_DETACH, attributes, len(attributes)) == 0
        os.close(handle)
    return found


if __name__ == "__main__":
    sys.exit(not main())
