"""The address, asked by good and by bad clients."""

import contextlib
import http.client
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from slurm_mig.usage.metrics.endpoint import Endpoint
from slurm_mig.usage.monitor.listening import Address
from tests.cluster.conftest import until
from tests.usage.metrics.moments import Told, exposition, on_h100, snapshot

ANY = Address("127.0.0.1", 0)


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    made = exposition(tmp_path)
    made.latest = snapshot(on_h100(9))
    with contextlib.closing(Endpoint(made.registry, ANY)) as found:
        assert found.wait_s(20)
        yield found


def ask(endpoint: Endpoint, path: str = "/metrics", method: str = "GET") -> tuple[int, bytes]:
    asked = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=20)
    try:
        asked.request(method, path)
        answer = asked.getresponse()
        return answer.status, answer.read()
    finally:
        asked.close()


def test_it_answers_with_the_metrics(endpoint: Endpoint) -> None:
    status, text = ask(endpoint)
    assert status == 200
    assert Told(text).value("slice_memory_used_bytes") == 1 << 30
    assert ask(endpoint, "/")[0] == 200


def test_nothing_else_is_there(endpoint: Endpoint) -> None:
    assert ask(endpoint, "/etc/passwd")[0] == 404
    assert ask(endpoint, "/metrics/../x")[0] == 404
    assert ask(endpoint, method="POST")[0] == 405
    assert ask(endpoint, method="DELETE")[0] == 405


def test_a_slow_client_keeps_nobody_waiting(endpoint: Endpoint) -> None:
    with contextlib.ExitStack() as slow:
        for _ in range(3):
            client = slow.enter_context(socket.create_connection(("127.0.0.1", endpoint.port)))
            client.sendall(b"GET /met")
        assert ask(endpoint)[0] == 200


def test_who_comes_while_too_many_wait_is_turned_away(endpoint: Endpoint) -> None:
    with contextlib.ExitStack() as crowd:
        for _ in range(20):
            client = socket.create_connection(("127.0.0.1", endpoint.port), timeout=20)
            crowd.enter_context(client)
            client.sendall(b"GET")
        with contextlib.suppress(ConnectionResetError):  # what it had sent was never read
            assert client.recv(1) == b""  # the last one
    assert until(lambda: _answers(endpoint))


def _answers(endpoint: Endpoint) -> bool:
    with contextlib.suppress(OSError, http.client.HTTPException):
        return ask(endpoint)[0] == 200
    return False


def test_a_request_that_takes_too_long_is_cut_off() -> None:
    with contextlib.closing(Endpoint(CollectorRegistry(), ANY, deadline_s=0.3)) as found:
        assert found.wait_s(20)
        with socket.create_connection(("127.0.0.1", found.port), timeout=20) as client:
            begin = time.monotonic()
            with contextlib.suppress(OSError):
                while time.monotonic() - begin < 20:  # never silent for long, and never done
                    client.sendall(b"G")
                    if select.select([client], [], [], 0.05)[0] and not client.recv(1000):
                        break
            assert time.monotonic() - begin < 20
        assert until(lambda: _answers(found))


def test_nonsense_does_not_end_it(endpoint: Endpoint) -> None:
    for nonsense in (b"\x00" * 100, b"GET " + b"x" * 70000 + b" HTTP/1.1\r\n\r\n", b"\r\n", b""):
        client = socket.create_connection(("127.0.0.1", endpoint.port), timeout=20)
        with client, contextlib.suppress(OSError):
            client.sendall(nonsense)
            client.shutdown(socket.SHUT_WR)
            client.recv(1000)
    assert ask(endpoint)[0] == 200


def test_an_address_that_is_taken_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = Endpoint(CollectorRegistry(), Address("127.0.0.1", port), retry_s=0.05)
        assert until(lambda: found.problem is not None)
        assert found.problem is not None
        assert f"127.0.0.1:{port}: Address already in use" in found.problem
        assert not found.wait_s(0)
    assert found.wait_s(20)
    assert found.problem is None
    assert ask(found)[0] == 200
    found.close()


def test_no_signal_goes_to_its_threads(endpoint: Endpoint) -> None:
    """The monitor waits for SIGIO and SIGTERM by itself, and would be ended by a lost one."""
    before = set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    (mine,) = [thread for thread in threading.enumerate() if thread.name == "metrics"]
    status = Path(f"/proc/self/task/{mine.native_id}/status").read_text()
    blocked = int(status.partition("SigBlk:")[2].split()[0], 16)
    for number in (signal.SIGIO, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        assert blocked >> (number - 1) & 1
    assert ask(endpoint)[0] == 200
    assert set(signal.pthread_sigmask(signal.SIG_BLOCK, ())) == before


def test_it_ends_while_it_waits_for_its_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = Endpoint(CollectorRegistry(), Address("127.0.0.1", taken.getsockname()[1]))
        assert found.close()


def test_after_its_end_nobody_answers(endpoint: Endpoint) -> None:
    assert endpoint.close()
    with pytest.raises(OSError, match=r"."):
        ask(endpoint)


def test_an_address_of_ipv6() -> None:
    with contextlib.closing(Endpoint(CollectorRegistry(), Address("::1", 0))) as found:
        if not found.wait_s(5):  # a machine without IPv6
            assert found.problem is not None
            return
        with socket.create_connection(("::1", found.port), timeout=20) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert client.recv(15).endswith(b"200 OK")
