"""What can be made to happen to a simulated machine, for the tests that need it to."""

from pathlib import Path
from typing import Any

from tests.sim import library
from tests.sim.errors import code_of
from tests.sim.library import NONE


class Machine:
    """A machine that stands already: its state in `dir`, its /proc and /dev below `root`."""

    def __init__(self, dir: Path) -> None:
        self.dir = dir.absolute()
        self.root = self.dir / "root"

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

    def lose(self, gpu_index: int, lost: bool = True) -> None:
        """Let a GPU fall off the bus (GPU_IS_LOST), or bring it back."""
        library.must("lose", self.dir, gpu_index, lost)

    def fault(
        self, call: str, *, code: str | int = 0, after: int = 0, once: bool = True,
        late: bool = False, kill: bool = False, hang_ms: int = 0, pid: int = 0,
    ) -> None:  # fmt: skip
        """Let a call (`*`: any) go wrong after `after` good ones, in every process or in `pid`.

        It answers `code`, or hangs, or its process is killed by SIGKILL: instead of its effect,
        or (`late`) when it has had it. Not `once`: from then on always.
        """
        library.must(
            "fault_add", self.dir, call.encode(), pid, after, once, late, kill, hang_ms,
            code_of(code),
        )  # fmt: skip

    def clear_faults(self) -> None:
        """Forget all faults (not a lost GPU)."""
        library.must("fault_clear", self.dir)

    def trace(self, path: Path | None) -> None:
        """Have every NVML call of every process written to `path`: "PID CALL CODE" lines."""
        library.must("trace_to", self.dir, str(path or "").encode())

    def xid(self, gpu_index: int, xid: int, gi_id: int = NONE, ci_id: int = NONE) -> None:
        """Raise an Xid error, attributed to an instance or to the GPU."""
        library.must("xid", self.dir, gpu_index, xid, gi_id, ci_id)

    def ecc(
        self, gpu_index: int, count: int = 1, *, gi_id: int = NONE, uncorrected: bool = True
    ) -> None:
        """Count memory errors, on an instance or on the GPU."""
        library.must("ecc", self.dir, gpu_index, gi_id, uncorrected, count)

    def freeze(self) -> None:
        """Stop the machine's clock: energy and activity stand still until `advance`."""
        library.must("clock", self.dir, 1, 0)

    def advance(self, seconds: float) -> None:
        """Stop the clock if it runs, and move it on."""
        library.must("clock", self.dir, 1, round(seconds * 1e9))

    def thaw(self) -> None:
        """Let the clock run on from where it stands."""
        library.must("clock", self.dir, 0, 0)
