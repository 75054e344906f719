"""Fixtures of the tests that run a real Slurm."""

import os
from pathlib import Path

import pytest


class BareMachine:
    """A tree of real device nodes without any driver behind: no NVML, only gres.conf lines."""

    def __init__(self, root: Path, gpus: int = 2, caps: int = 40) -> None:
        self.root = root
        (root / "dev/nvidia-caps").mkdir(parents=True)
        self._node("nvidiactl", 195, 255)
        for minor in range(gpus):
            self._node(f"nvidia{minor}", 195, minor)
        for minor in range(caps):
            self._node(f"nvidia-caps/nvidia-cap{minor}", 240, minor)

    def _node(self, name: str, major: int, minor: int) -> None:
        path = self.root / "dev" / name
        os.mknod(path, 0o020666, os.makedev(major, minor))
        path.chmod(0o666)

    def env(self) -> dict[str, str]:
        """Nothing: there is no library to choose."""
        return {}


@pytest.fixture
def bare_machine(tmp_path: Path) -> BareMachine:
    """Two GPUs' device nodes and forty capabilities, in a folder of the test."""
    return BareMachine(tmp_path / "machine")
