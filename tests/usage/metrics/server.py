"""A Prometheus of a test's own: one target, on a port of its own, gone afterwards."""

import contextlib
import json
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster import prometheus
from tests.cluster.conftest import until

CHECKOUT = Path(__file__).resolve().parents[3]
ALERTS = CHECKOUT / "dashboards/alerts.yml"
# Exactly what docs/usage.md tells a site to write, but for the target and how often.
_CONF = """\
global:
  scrape_interval: 500ms
  evaluation_interval: 500ms
rule_files:
  - {alerts}
scrape_configs:
  - job_name: slurm-mig
    static_configs:
      - targets: ["127.0.0.1:{target}"]
"""

Row = tuple[dict[str, str], float]


Fetch = Callable[[str], str]  # what is at a URL, whatever its status; OSError where nobody answers


def fetch(url: str) -> str:
    """From this machine."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as why:
        return why.read().decode()


class Server:
    """A running one."""

    def __init__(self, port: int, log: Path, get: Fetch) -> None:
        self._base, self._log, self._get = f"http://127.0.0.1:{port}/api/v1", log, get

    def ask(self, what: str, **words: str) -> Any:
        """The `data` of an answer. AssertionError where it refused, OSError while it starts."""
        text = self._get(f"{self._base}/{what}?{urllib.parse.urlencode(words)}")
        if not text.startswith("{"):
            raise OSError(text)
        told = json.loads(text)
        assert told["status"] == "success", (words, told)
        return told["data"]

    def query(self, promql: str) -> list[Row]:
        """Rows of labels, without the name of the metric, and the value now."""
        data = self.ask("query", query=promql)
        rows = [data["result"]] if data["resultType"] == "scalar" else data["result"]
        return [
            ({k: v for k, v in row["metric"].items() if k != "__name__"}, float(row["value"][1]))
            for row in rows
        ]

    def value(self, promql: str) -> float | None:
        """Of a question with one answer, or none."""
        rows = self.query(promql)
        assert len(rows) < 2, rows
        return rows[0][1] if rows else None

    def becomes(self, promql: str, value: float) -> bool:
        """Whether it does, within reasonable time."""
        return until(lambda: self._is(promql, value), 30)

    def _is(self, promql: str, value: float) -> bool:
        with contextlib.suppress(OSError):
            return self.value(promql) == value
        return False

    def words(self) -> str:
        return self._log.read_text()[-2000:]


@dataclass(frozen=True)
class Place:
    """A machine: how a program is started there, and how a URL is asked there."""

    command: Callable[[list[str]], list[str]] = list
    fetch: Fetch = fetch
    port: int | None = None  # None: any that is free here


@contextlib.contextmanager
def serving(folder: Path, target: int, place: Place | None = None) -> Iterator[Server]:
    """One that scrapes 127.0.0.1:`target`, and has done so once."""
    programs, place = prometheus.find(), place or Place()
    folder.mkdir(parents=True)
    conf, log, port = folder / "conf.yml", folder / "log", place.port or free_port()
    conf.write_text(_CONF.format(alerts=ALERTS, target=target))
    words = [f"--config.file={conf}", f"--storage.tsdb.path={folder / 'data'}"]
    words += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    command = place.command([str(programs.server), *words])
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        found = Server(port, log, place.fetch)
        assert found.becomes("up", 1), found.words()
        yield found
    finally:
        process.terminate()
        process.wait(timeout=30)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
