"""Sim: a simulated machine with GPUs, for tests and for `python -m tests.sim`."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.sim import library, tree
from tests.sim.errors import SimError, code_of, name_of
from tests.sim.layout import plan
from tests.sim.library import NONE
from tests.sim.machine import Options, describe, places
from tests.sim.models import GpuModel, keys, load

CHECKOUT = Path(__file__).resolve().parents[2]


class Sim:
    """One machine: its state in `dir`, its /proc and /dev below `root`."""

    def __init__(self, dir: Path) -> None:
        self.dir = dir.absolute()
        self.root = self.dir / "root"

    @classmethod
    def new(
        cls, dir: Path, gpus: Sequence[str], *, nodes: bool = True, numbering: str = "a",
        gap: bool = False, reversed_minors: bool = False, **more: Any,
    ) -> "Sim":  # fmt: skip
        """Make a machine; each GPU is `MODEL` or `MODEL=LAYOUT`.

        `more`: the other fields of machine.Options. Without `nodes` no nvidia-cap node is made
        (the driver makes none). SimError says what cannot be; then nothing stays in `dir`.
        """
        sim = cls(dir)
        if (sim.dir / "state").exists():
            raise SimError(f"{dir} holds a simulated machine already: take another folder")
        more.setdefault("seed", sim.dir.name)
        options = Options(
            numbering=numbering, gap=gap, reversed_minors=reversed_minors, **more
        )  # fmt: skip
        existed = sim.dir.exists()
        try:
            sim._build([gpu.partition("=") for gpu in gpus], options, nodes)
        except BaseException:
            if not existed:
                shutil.rmtree(sim.dir, ignore_errors=True)
            raise
        return sim

    def _build(self, gpus: Sequence[tuple[str, str, str]], options: Options, nodes: bool) -> None:
        found = places([key for key, _, _ in gpus], options)
        for place, (_, _, layout) in zip(found, gpus, strict=True):
            if layout:
                _check(place.model, layout)
        self.dir.mkdir(parents=True, exist_ok=True)
        tree.write_proc(self.root, found, options.driver)
        tree.make_gpu_nodes(self.root, found)
        library.new(self.dir, describe(found, options, os.cpu_count() or 1))
        for place, (_, _, layout) in zip(found, gpus, strict=True):
            if layout and layout != "off":
                self._lay_out(place.index, place.model, layout)
        self.show()  # the first look writes the capabilities tree
        if nodes:
            self.make_nodes()

    def env(self) -> dict[str, str]:
        """What a process needs to see this machine: environment variables."""
        return {
            "MIGSIM_DIR": str(self.dir),
            "LD_LIBRARY_PATH": str(library.FOLDER),
            "SLURM_MIG_ROOT": str(self.root),
        }

    def show(self) -> dict[str, Any]:
        """The live state, as the library tells it."""
        return library.show(self.dir)

    def make_nodes(self) -> list[Path]:
        """Make the missing nvidia-cap nodes, as nvidia-modprobe would; those made."""
        return tree.make_cap_nodes(self.root)

    def model(self, gpu_index: int) -> GpuModel:
        """What kind of GPU that is."""
        gpus = self.show()["gpus"]
        if not 0 <= gpu_index < len(gpus):
            raise SimError(f"no GPU {gpu_index}: there are {len(gpus)}, counted from 0")
        name = gpus[gpu_index]["name"]
        return next(load(key) for key in keys() if load(key).name == name)

    def partition(self, gpu_index: int, layout: str) -> None:
        """Give a GPU another layout, whoever uses it; `off` switches MIG off. No nodes made."""
        model = self.model(gpu_index)
        _check(model, layout)
        library.must("clear", self.dir, gpu_index)
        if layout == "off":
            library.must("set_mode", self.dir, gpu_index, 0)
        else:
            self._lay_out(gpu_index, model, layout)

    def _lay_out(self, gpu_index: int, model: GpuModel, layout: str) -> None:
        library.must("set_mode", self.dir, gpu_index, 1)
        for gi in plan(model, layout):
            code, gi_id = library.create(
                "create_gi", self.dir, gpu_index, gi.profile.profile_id, gi.start
            )
            if code != 0:
                raise SimError(
                    f"{layout} is not possible on {model.key}: {gi.profile.name}@{gi.start} "
                    f"beside the others: {name_of(code)} (at most {gi.profile.max_count} of it; "
                    "+me and +me.all exclude others)"
                )
            for ci in gi.cis:
                code, _ = library.create(
                    "create_ci", self.dir, gpu_index, gi_id, ci.profile.profile_id, ci.start
                )
                if code != 0:
                    raise SimError(
                        f"{ci.profile.name}@{ci.start} does not fit in {gi.profile.name}: "
                        f"{name_of(code)}"
                    )

    def reset(self, gpu_index: int) -> None:
        """Reset one GPU, as `nvidia-smi -r -i`; SimError (IN_USE) while a process holds it."""
        library.must("reset", self.dir, gpu_index)

    def reboot(self) -> None:
        """Reboot the machine: processes, instances and cap nodes are gone."""
        library.must("reboot", self.dir)
        shutil.rmtree(self.root / "dev" / "nvidia-caps", ignore_errors=True)

    def lose(self, gpu_index: int, lost: bool = True) -> None:
        """Let a GPU fall off the bus (GPU_IS_LOST), or bring it back."""
        library.must("lose", self.dir, gpu_index, int(lost))

    def fault(
        self, call: str, *, code: str | int = 0, after: int = 0, once: bool = True,
        late: bool = False, kill: bool = False, hang_ms: int = 0, pid: int = 0,
    ) -> None:  # fmt: skip
        """Let a call (`*`: any) go wrong after `after` good ones, in every process or in `pid`.

        It answers `code`, or hangs, or its process is killed by SIGKILL: instead of its effect,
        or (`late`) when it has had it. Not `once`: from then on always.
        """
        library.add_fault(
            self.dir, call, pid=pid, after=after, once=once, late=late, kill=kill,
            hang_ms=hang_ms, code=code_of(code),
        )  # fmt: skip

    def clear_faults(self) -> None:
        """Forget all faults (not a lost GPU)."""
        library.must("fault_clear", self.dir)

    def trace(self, path: Path | None) -> None:
        """Have every NVML call of every process written to `path`: "PID CALL CODE" lines."""
        library.must("trace_to", self.dir, str(path or "").encode())

    def xid(self, gpu_index: int, xid: int, gi_id: int = NONE, ci_id: int = NONE) -> None:
        """Raise an Xid error, attributed to an instance or to the GPU."""
        library.must("xid", self.dir, gpu_index, xid, *map(library.ctypes.c_uint, (gi_id, ci_id)))

    def ecc(
        self, gpu_index: int, count: int = 1, *, gi_id: int = NONE, uncorrected: bool = True
    ) -> None:
        """Count memory errors, on an instance or on the GPU."""
        gi = library.ctypes.c_uint(gi_id)
        library.must("ecc", self.dir, gpu_index, gi, int(uncorrected), count)

    def freeze(self) -> None:
        """Stop the machine's clock: energy and activity stand still until `advance`."""
        library.must("clock", self.dir, 1, library.ctypes.c_int64(0))

    def advance(self, seconds: float) -> None:
        """Stop the clock if it runs, and move it on."""
        library.must("clock", self.dir, 1, library.ctypes.c_int64(round(seconds * 1e9)))

    def thaw(self) -> None:
        """Let the clock run on from where it stands."""
        library.must("clock", self.dir, 0, library.ctypes.c_int64(0))

    def run(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """`python -m tests.sim run ARGUMENTS` to its end, with this machine's environment."""
        return subprocess.run(self._command(arguments, more), **_options(self, more))

    @contextmanager
    def running(
        self, visible: str | None = None, *, memory: str = "1GiB", activity: float = 1.0
    ) -> Iterator[subprocess.Popen[str]]:
        """A stand-in CUDA process that lasts as long as the block.

        `visible` is its CUDA_VISIBLE_DEVICES. SimError if it found no device it may use.
        """
        extra = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
        command = self._command(["--memory", memory, "--activity", str(activity)], {})
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

    @staticmethod
    def _command(arguments: Sequence[str], more: dict[str, Any]) -> list[str]:
        return [*more.pop("prefix", ()), sys.executable, "-m", "tests.sim", "run", *arguments]


def _check(model: GpuModel, layout: str) -> None:
    if layout != "off":
        plan(model, layout)


def _options(sim: Sim, more: dict[str, Any]) -> dict[str, Any]:
    kept = {name: text for name, text in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    env = {**kept, **sim.env(), **more.pop("env", {})}
    return {"env": env, "cwd": CHECKOUT, "capture_output": True, "text": True, **more}
