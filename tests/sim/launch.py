"""Starting stand-in CUDA processes on a simulated machine."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.sim.errors import SimError
from tests.sim.happen import Machine

CHECKOUT = Path(__file__).resolve().parents[2]


class Launcher(Machine):
    """A machine that programs run on."""

    def run(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """`python -m tests.sim run ARGUMENTS` to its end, with this machine's environment."""
        return subprocess.run(self._command(arguments, more), **_options(self, more))

    @contextmanager
    def running(
        self, visible: str | None = None, *, memory: str = "1GiB", activity: float = 1.0,
        kind: str = "compute",
    ) -> Iterator[subprocess.Popen[str]]:  # fmt: skip
        """A stand-in CUDA process, or a `client` of a GPU, that lasts as long as the block.

        `visible` is its CUDA_VISIBLE_DEVICES. SimError if it found no device it may use.
        """
        extra = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
        words = ["--memory", memory, "--activity", str(activity), "--kind", kind]
        command = self._command(words, {})
        options = _options(self, {"env": extra}) | {"stdout": subprocess.PIPE}
        del options["capture_output"]
        with subprocess.Popen(command, stderr=subprocess.STDOUT, **options) as process:
            try:
                assert process.stdout is not None
                line = process.stdout.readline()
                if not line.startswith("using "):
                    raise SimError(line.strip())
                yield process
            finally:
                process.send_signal(signal.SIGTERM)

    def reset_command(self, *more: str) -> list[str]:
        """What resets one GPU of this machine, with {bus_id} in it, as a site would write it."""
        inside = "import sys; sys.path[0] = sys.argv.pop(1); import tests.sim.__main__ as sim; "
        code = f"{inside}sys.exit(sim.main())"
        words = ["reset", str(self.dir), "--bus-id", "{bus_id}", *more]
        return [sys.executable, "-c", code, str(CHECKOUT), *words]

    @staticmethod
    def _command(arguments: Sequence[str], more: dict[str, Any]) -> list[str]:
        return [*more.pop("prefix", ()), sys.executable, "-m", "tests.sim", "run", *arguments]


def _options(sim: Machine, more: dict[str, Any]) -> dict[str, Any]:
    kept = {name: text for name, text in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    env = {**kept, **sim.env(), **more.pop("env", {})}
    return {"env": env, "cwd": CHECKOUT, "capture_output": True, "text": True, **more}
