"""Applies on simulated machines: what to want, and what is there afterwards."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from slurm_mig.gpu.change.prepare import Chooser, Request
from slurm_mig.gpu.partitioning import LiveGpu, WantedGi, WantedGpu
from slurm_mig.model import GpuIndex
from slurm_mig.settings import Settings
from tests.gpu.daemons import config
from tests.sim import library
from tests.sim.api import CHECKOUT, Sim

Here = Callable[..., Sim]


def here(new_sim: Callable[..., Sim], monkeypatch: pytest.MonkeyPatch) -> Here:
    """As `new_sim`, of a machine that this process and its workers see too."""

    def new(*gpus: str, **options: Any) -> Sim:
        sim = new_sim(*gpus, **options)
        monkeypatch.setenv("MIGSIM_DIR", str(sim.dir))
        library.load()
        return sim

    return new


def wants(**by_index: str) -> Chooser:
    """`wants(gpu0="3g.40gb@4/1g.10gb", gpu1="off")`."""

    def choose(_: Sequence[LiveGpu]) -> Mapping[GpuIndex, WantedGpu]:
        return {GpuIndex(int(name[3:])): _wanted(text) for name, text in by_index.items()}

    return choose


def _wanted(text: str) -> WantedGpu:
    if text == "off":
        return WantedGpu(mig=False)
    names = [] if text == "mig" else [word.partition("@") for word in text.split("/")]
    return WantedGpu(True, tuple(WantedGi(n, int(at) if at else None) for n, _, at in names))


def request(sim: Sim, settings: Settings | None = None, **by_index: str) -> Request:
    """That, on this machine; without any GPU the committed configuration."""
    choose = wants(**by_index) if by_index else None
    return Request(sim.root, settings or site(sim), choose)


def site(sim: Sim, *reset: str) -> Settings:
    """A site whose GPUs can be reset, and that has no daemons."""
    return Settings(
        clients=(), clients_if_blocking=(), reset_command=tuple(sim.reset_command(*reset))
    )


def layout(sim: Sim, gpu_index: int = 0) -> str:
    """What a GPU is cut into: "off", or "2g.20gb@0/3g.40gb@4"; ":none" without compute."""
    gpu = sim.show()["gpus"][gpu_index]
    if not gpu["mig_mode"]["current"]:
        return "off"
    found = sorted(gpu["gpu_instances"], key=lambda gi: int(gi["placement"]["start"]))
    names = [
        f"{gi['profile']}@{gi['placement']['start']}{'' if gi['compute_instances'] else ':none'}"
        for gi in found
    ]
    return "/".join(names) or "mig"


def configure(sim: Sim, settings: Settings | None = None) -> None:
    """Write the site's config.toml."""
    folder = sim.root / "etc/slurm-mig"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(config(settings or site(sim)))


def program(sim: Sim, *words: str, **more: Any) -> "subprocess.CompletedProcess[str]":
    """`slurm-mig WORDS` on that machine, to its end."""
    return subprocess.run(
        _command(words), env=_env(sim), cwd=CHECKOUT, capture_output=True, text=True, timeout=120,
        **more,
    )  # fmt: skip


def started(sim: Sim, *words: str) -> "subprocess.Popen[str]":
    """`slurm-mig WORDS`, running in a process group of its own."""
    return subprocess.Popen(
        _command(words), env=_env(sim), cwd=CHECKOUT, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def _command(words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "slurm_mig", *words]


def _env(sim: Sim) -> dict[str, str]:
    return {**os.environ, **sim.env()}


def wait_until(there: Callable[[], object], what: str) -> None:
    """Wait for something that comes soon."""
    end = time.monotonic() + 30
    while not there():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.01)


def end(process: "subprocess.Popen[str]", number: signal.Signals) -> tuple[int, str]:
    """Send a signal to the process alone; its exit code and what it said on stderr."""
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


def wanted_file(folder: Path, **by_label: str) -> Path:
    """A file of configurations for GPU 0: `wanted_file(tmp_path, small="7x1g.10gb")`."""
    labels = {label: [_entry(text)] for label, text in by_label.items()}
    path = folder / "mig.yaml"
    path.write_text(json.dumps({"version": "v1", "mig-configs": labels}))
    return path


def _entry(text: str) -> dict[str, Any]:
    if text == "off":
        return {"devices": [0], "mig-enabled": False}
    counts: dict[str, int] = {}
    for word in text.split("/"):
        count, _, name = word.rpartition("x")
        counts[name] = counts.get(name, 0) + int(count or 1)
    return {"devices": [0], "mig-enabled": True, "mig-devices": counts}
