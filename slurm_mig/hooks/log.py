"""One line for each run of a hook, to syslog and to a file; never to the job."""

import posix as os
import time
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, socket

from slurm_mig.errors import HookError
from slurm_mig.hooks import jsonlight
from slurm_mig.system import rootfiles

CRITICAL, ERROR, WARNING, INFO = 2, 3, 4, 6  # syslog's severities
_DAEMON = 3 << 3
_LONGEST = 8000  # what a datagram to /dev/log can hold for sure
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Line:
    """What one run says, collected as it goes on: key=value, text as JSON has it."""

    def __init__(self, hook: str) -> None:
        self._began = time.monotonic()
        self._fields: dict[str, object] = {"hook": hook}
        self.severity = INFO
        self.notes: list[str] = []

    def put(self, **fields: object) -> None:
        """Add fields, or give them another value."""
        self._fields.update(fields)

    def warn(self, note: str, severity: int = WARNING) -> None:
        """Something that an administrator should know."""
        self.notes.append(note)
        self.severity = min(self.severity, severity)

    def text(self) -> str:
        """All of it, one line of ASCII."""
        spent = round((time.monotonic() - self._began) * 1000, 1)
        fields = {**self._fields, "ms": spent}
        if self.notes:
            fields["notes"] = "; ".join(self.notes)
        return " ".join(f"{key}={_value(value)}" for key, value in fields.items())[:_LONGEST]


def _value(value: object) -> str:
    plain = isinstance(value, str) and value.isascii() and value.replace("-", "").isalnum()
    return str(value) if plain else jsonlight.dumps(value)


def write(root: str, line: Line, path: str) -> None:
    """Send it off. A log that cannot be written stops nothing and nobody."""
    text = line.text()
    _to_syslog(f"{root}/dev/log", f"<{_DAEMON | line.severity}>slurm-mig[{os.getpid()}]: {text}")
    if path:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        _to_file(root, path, f"{stamp} pid={os.getpid()} {text}\n")


def _to_syslog(address: str, text: str) -> None:
    # By hand, and without waiting: syslog(3) blocks when nobody reads at the other end.
    channel = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
    try:
        channel.sendto(text.encode(), address)
    except OSError:
        pass
    finally:
        channel.close()


def _to_file(root: str, path: str, text: str) -> None:
    try:
        folder = rootfiles.open_folder(root, path.rpartition("/")[0], make=0o755)
        try:
            handle = os.open(path.rpartition("/")[2], _APPEND, 0o640, dir_fd=folder)
        finally:
            os.close(folder)
        try:
            os.write(handle, text.encode())
        finally:
            os.close(handle)
    except (OSError, HookError):
        pass
