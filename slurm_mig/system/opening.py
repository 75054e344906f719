"""Whether this process may open a device: asked by open(2), which is what a job would do."""

import posix as os
from errno import EACCES, ENOENT, EPERM

# O_NONBLOCK: to wait for a device is not what we came for.
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_DENIED = (EPERM, EACCES, ENOENT)


def opens(path: str) -> bool:
    """False where the cgroup, or the file's mode, denies it, or where there is no such file."""
    try:
        os.close(os.open(path, _OPEN))
    except OSError as error:
        # The cgroup says EPERM. Whatever the driver says (ENXIO, EIO), it was asked.
        return error.errno not in _DENIED
    return True
