"""`slurm-mig monitor` as a process, on a simulated machine whose open jobs a test writes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from slurm_mig.usage import record, sums
from slurm_mig.usage.sums import JobSums
from tests.sim.api import CHECKOUT, Sim
from tests.sim.truth import slices

LIMIT_S = 60.0


def until(true: Callable[[], object], what: str) -> None:
    """Return when it is true."""
    end = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < end, f"no {what} in {LIMIT_S:.0f} s"
        time.sleep(0.02)


class Node:
    """The simulated machine, its open jobs, and what is handed over."""

    def __init__(self, sim: Sim) -> None:
        self.sim, self.run = sim, sim.root / "run/slurm-mig"
        (self.run / "jobs").mkdir(parents=True, exist_ok=True)
        self.slices = slices(sim)

    def begin(self, job_id: int, place: int) -> str:
        """A job of root's on one slice; its file's name."""
        one = self.slices[place]
        entry: record.Record = {
            "gpu_uuid": one.gpu_uuid, "gpu_minor": one.gpu_minor, "gpu_name": one.gpu_name,
            "type": one.profile, "gres_index": place,
            "mig": {"uuid": one.uuid, "profile": one.profile, "gi_id": one.gi_id,
                    "ci_id": one.ci_id, "memory_mib": one.memory_mib},
        }  # fmt: skip
        about: record.Record = {"job_id": job_id, "restarts": 0, "uid": 0, "user": "root"}
        made = record.opened(
            "r1", about, [record.slice_identity(entry, "b", 0)], start=1.0, complete=True
        )
        draft = self.run / f"jobs/.{job_id}"
        draft.write_text(json.dumps({"record": made, "sluid": None}))
        draft.rename(self.run / f"jobs/{job_id}.json")
        return f"{job_id}.r1"

    def end(self, job_id: int) -> None:
        """Its epilog has come."""
        (self.run / f"jobs/{job_id}.json").unlink()

    def sums(self, name: str) -> JobSums | None:
        """What is handed over now."""
        path = self.run / "usage" / name
        return sums.read(path.read_bytes()) if path.exists() else None

    def value(self, name: str, place: int) -> float:
        """One number of the job's only slice; 0 as long as there is nothing."""
        found = self.sums(name)
        return found.slices[0][place] if found else 0.0

    def wait_samples(self, name: str, more: int) -> None:
        """Until so many more were taken."""
        wanted = self.value(name, sums.SAMPLES) + more
        until(lambda: self.value(name, sums.SAMPLES) >= wanted, f"{more} samples of {name}")


@contextmanager
def monitor(
    sim: Sim, *words: str, environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """The daemon; it is killed in the end if it still runs."""
    command = [sys.executable, "-m", "slurm_mig", "monitor", *words]
    env = {**os.environ, **sim.env(), **(environ or {})}
    with subprocess.Popen(
        command, env=env, cwd=CHECKOUT, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def stop(process: subprocess.Popen[str]) -> str:
    """As systemd does; what it said. AssertionError if it did not end well."""
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, said
    return said


def once(sim: Sim, *words: str) -> subprocess.CompletedProcess[str]:
    """`slurm-mig monitor --once`."""
    command = [sys.executable, "-m", "slurm_mig", "monitor", "--once", *words]
    env = {**os.environ, **sim.env()}
    return subprocess.run(command, env=env, cwd=CHECKOUT, capture_output=True, text=True)


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "notify"
        self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._channel.bind(str(self._path))

    @property
    def environ(self) -> dict[str, str]:
        """What systemd gives a service with WatchdogSec=6."""
        return {"NOTIFY_SOCKET": str(self._path), "WATCHDOG_USEC": "6000000"}

    def hear(self, limit_s: float = LIMIT_S) -> dict[str, Any]:
        """The next message; empty when there is none in time."""
        self._channel.settimeout(limit_s)
        try:
            lines = self._channel.recv(4096).decode().splitlines()
        except TimeoutError:
            return {}
        return dict(line.split("=", 1) for line in lines)

    def hear_all(self) -> list[dict[str, Any]]:
        """What was said already."""
        found = []
        while message := self.hear(0.001):
            found.append(message)
        return found

    def close(self) -> None:
        """Listen no more."""
        self._channel.close()
