"""sd_notify(3): tell systemd that we are ready, alive, or at our end. Without systemd, nothing."""

import os
import socket
from collections.abc import Mapping


class Notify:
    """The socket that systemd named, if it did."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        usec = environ.get("WATCHDOG_USEC", "")
        mine = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        # How often it must hear of us, at the least.
        self.watchdog_s = int(usec) / 1e6 if usec.isdigit() and mine and self._address else None

    def tell(self, *words: str) -> None:
        """Such as READY=1 or WATCHDOG=1. That nobody listens stops nothing."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.setblocking(False)
                channel.sendto("\n".join(words).encode(), self._address)
        except OSError:
            return
