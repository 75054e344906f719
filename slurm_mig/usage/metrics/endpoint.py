"""The address at which Prometheus asks: plain HTTP, few at a time, each for a short time.

Whoever can reach the address may ask, users' jobs on the node too; what is told there is what
squeue tells everybody, and how the slices are used.
"""

import contextlib
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from slurm_mig.usage.monitor.listening import Address

_AT_ONCE = 4  # the unit lets the monitor have 16 threads
_DEADLINE_S = 10.0
_RETRY_S = 10.0

_App = Callable[..., Iterable[bytes]]
_Begin = Callable[[str, list[tuple[str, str]]], object]
_Request = socket.socket | tuple[bytes, socket.socket]  # as the library has it: TCP has the first


class Endpoint:
    """Serves a registry until it is closed. Where the address is taken, it tries again."""

    def __init__(
        self,
        registry: CollectorRegistry,
        address: Address,
        retry_s: float = _RETRY_S,
        deadline_s: float = _DEADLINE_S,
    ) -> None:
        self._app, self._address = _only_metrics(registry), address
        self._retry_s, self._deadline_s = retry_s, deadline_s
        self._stop, self._stopped = socket.socketpair()
        self._serving = threading.Event()
        self._port = address.port
        self.problem: str | None = None
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        # The process's signals are for whoever waits for them, and that is none of our threads.
        before = signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        try:
            self._thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def wait_s(self, timeout_s: float) -> bool:
        """Whether it is being served within that time."""
        return self._serving.wait(timeout_s)

    @property
    def port(self) -> int:
        """The port that is served, once it is."""
        return self._port

    def close(self) -> bool:
        """Stop; whether that was quick. Requests that are being answered end by themselves."""
        self._stop.close()
        self._thread.join(timeout=_DEADLINE_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        with self._stopped:
            while not self._may_begin():
                if self._comes([], self._retry_s):
                    return

    def _may_begin(self) -> bool:
        """Serve until it is closed; false where there can be no server now."""
        try:
            server = _Server(self._address, self._app, self._deadline_s)
        except OSError as why:
            self.problem = f"{self._address}: {why.strerror}: see [monitor] listen"
            return False
        with server:
            self.problem, self._port = None, server.server_port
            self._serving.set()
            while not self._comes([server], server.cut_late()):
                server.handle_request()
        return True

    def _comes(self, others: list["_Server"], timeout_s: float | None) -> bool:
        """Sleep until one of these has something, or the end comes; whether it came."""
        waiting: list[Any] = [self._stopped, *others]
        return self._stopped in select.select(waiting, [], [], timeout_s)[0]


class _Handler(WSGIRequestHandler):
    timeout = _DEADLINE_S  # of one read: the deadline of all of it is the server's

    def log_message(self, format: str, *args: object) -> None:
        """Every scrape would be a line in the journal."""


class _Server(ThreadingMixIn, WSGIServer):
    """At most so many requests at once, none longer than the deadline: who waits is turned away."""

    daemon_threads = True
    timeout = 0  # whoever calls handle_request() has waited already
    request_queue_size = 16

    def __init__(self, address: Address, app: _App, deadline_s: float) -> None:
        six = ip_address(address.host).version == 6
        self.address_family = socket.AF_INET6 if six else socket.AF_INET
        self._lock, self._deadline_s = threading.Lock(), deadline_s
        self._ends: dict[_Request, float] = {}  # of the requests that are being answered
        super().__init__((address.host, address.port), _Handler)
        self.set_app(app)

    def server_bind(self) -> None:
        """Without asking a name server what we are called, as the library's own would."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def process_request(self, request: _Request, client_address: object) -> None:
        """As the library, where there is room."""
        with self._lock:
            has_room = len(self._ends) < _AT_ONCE
            if has_room:
                self._ends[request] = time.monotonic() + self._deadline_s
        try:
            if has_room:
                return super().process_request(request, cast(Any, client_address))
        except RuntimeError:  # no thread to be had
            self._forget(request)
        self.shutdown_request(request)
        return None

    def process_request_thread(self, request: _Request, client_address: object) -> None:
        """As the library."""
        try:
            super().process_request_thread(request, cast(Any, client_address))
        finally:
            self._forget(request)

    def cut_late(self) -> float | None:
        """End the requests that take too long; in how many seconds to look again, if ever."""
        with self._lock:
            now = time.monotonic()
            for request, end in self._ends.items():
                if end <= now:
                    _cut(request)  # its thread then finds that nobody is there, and ends
            soonest = min(self._ends.values(), default=None)
        return None if soonest is None else max(0.1, soonest - now)

    def _forget(self, request: _Request) -> None:
        with self._lock:
            self._ends.pop(request, None)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away, or was cut off, is no news."""


def _cut(request: _Request) -> None:
    with contextlib.suppress(OSError):
        assert isinstance(request, socket.socket)  # noqa: S101 (TCP)
        request.shutdown(socket.SHUT_RDWR)


def _only_metrics(registry: CollectorRegistry) -> _App:
    metrics: _App = make_wsgi_app(registry)

    def app(environ: dict[str, Any], start_response: _Begin) -> Iterable[bytes]:
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            start_response("405 Method Not Allowed", [("Allow", "GET, HEAD")])
            return [b""]
        if environ.get("PATH_INFO") not in ("/metrics", "/"):
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"slurm-mig's metrics are at /metrics\n"]
        return metrics(environ, start_response)

    return app
