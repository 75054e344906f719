"""The other entrance of the simulated library: its `migsim_*` calls, by ctypes.

The library alone knows how its state is laid out. All calls take the state's folder, need no
NVML session and never meet an injected fault.
"""

import ctypes
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.sim.errors import SimError, name_of

FOLDER = Path(__file__).resolve().parents[2] / "build" / "sim"
NONE = 0xFFFFFFFF  # no GPU or compute instance; anywhere (placements)


class Step(ctypes.Structure):
    """From `at_ns` after its start on, a process has `memory` bytes and this activity (0..1)."""

    _fields_ = (
        ("at_ns", ctypes.c_uint64),
        ("memory", ctypes.c_uint64),
        ("activity", ctypes.c_double),
    )


@cache
def load() -> ctypes.CDLL:
    """The library, in this process; SimError when it is not built.

    RTLD_GLOBAL and its soname let pynvml find the same one, whatever LD_LIBRARY_PATH is.
    """
    path = FOLDER / "libnvidia-ml.so.1"
    if not path.exists():
        raise SimError(f"{path} is not built: run `make sim`")
    return ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


def call(name: str, folder: Path, *arguments: Any) -> int:
    """One admin call on the machine in `folder`; its nvmlReturn_t."""
    function = getattr(load(), f"migsim_{name}")
    # A narrower parameter takes the low half of it: so every number may be passed as 64 bits.
    passed = [ctypes.c_int64(one) if isinstance(one, int) else one for one in arguments]
    return int(function(str(folder).encode(), *passed))


def must(name: str, folder: Path, *arguments: Any) -> None:
    """One admin call that has to work; SimError says what the library answered."""
    code = call(name, folder, *arguments)
    if code != 0:
        raise SimError(f"{name} on {folder}: {name_of(code)}")


def new(folder: Path, description: str) -> None:
    """Make the state of a machine from the text that parse.c explains."""
    why = ctypes.create_string_buffer(200)
    code = call("new", folder, description.encode(), why, len(why))
    if code != 0:
        raise SimError(f"no state made in {folder}: {name_of(code)} {why.value.decode()}")


def show(folder: Path) -> dict[str, Any]:
    """The live state; SimError when there is none."""
    size = 1 << 16
    while True:
        text = ctypes.create_string_buffer(size)
        length = call("show", folder, text, size)
        if length < 0:
            raise SimError(f"no simulated machine in {folder}: {name_of(-length)}")
        if length < size:
            shown: dict[str, Any] = json.loads(text.value)
            return shown
        size = length + 1


def create(name: str, folder: Path, *arguments: int) -> tuple[int, int]:
    """create_gi or create_ci: (nvmlReturn_t, the new instance's id)."""
    made = ctypes.c_uint(NONE)
    code = call(name, folder, *arguments, ctypes.byref(made))
    return code, made.value


def add_process(
    folder: Path, pid: int, kind: int, place: tuple[int, int, int], steps: Sequence[Step]
) -> int:
    """Put a live process on (gpu_index, gi_id, ci_id); its nvmlReturn_t."""
    array = (Step * max(len(steps), 1))(*steps)
    return call("process_add", folder, pid, kind, *place, array, len(steps))
