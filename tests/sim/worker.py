"""The stand-in CUDA process: `python -m tests.sim run`."""

import os
import re
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.sim import cuda, library, proc
from tests.sim.errors import SimError, name_of

UNITS = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
STOP = {signal.SIGTERM, signal.SIGINT}
KINDS = {"compute": 0, "graphics": 1, "client": 2}


def parse_bytes(text: str) -> int:
    """ "2GiB" as a number; SimError when it is not a size."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([A-Za-z]*)", text)
    if match is None or match[2] not in UNITS:
        raise SimError(f"cannot read size {text!r}: write 512MiB or 2GiB")
    return int(float(match[1]) * UNITS[match[2]])


def parse_steps(memory: str, activity: str) -> list[library.Step]:
    """`VALUE[@SECONDS],...` of memory and of activity, as one list of steps.

    "1GiB,2GiB@1.5" is 1 GiB, and 2 GiB from 1.5 s after the start on.
    """
    memories = [(at, parse_bytes(text)) for at, text in _timed(memory)]
    activities = [(at, _fraction(text)) for at, text in _timed(activity)]
    times = sorted({at for at, _ in memories} | {at for at, _ in activities})
    if times[0] != 0 or len(times) > 8:
        raise SimError("steps start without @SECONDS, and there are at most 8")
    return [
        library.Step(
            round(at * 1e9),
            max((when, value) for when, value in memories if when <= at)[1],
            max((when, value) for when, value in activities if when <= at)[1],
        )
        for at in times
    ]


def _timed(text: str) -> list[tuple[float, str]]:
    parts = [part.partition("@") for part in text.split(",")]
    try:
        return [(float(at) if at else 0.0, value) for value, _, at in parts]
    except ValueError:
        raise SimError(f"cannot read {text!r}: write VALUE[@SECONDS],...") from None


def _fraction(text: str) -> float:
    if not re.fullmatch(r"0|1|[01]?\.\d+", text) or float(text) > 1:
        raise SimError(f"activity {text!r} is not between 0 and 1")
    return float(text)


def work(kind: str, memory: str, activity: str, seconds: float | None) -> int:
    """Take a device as CUDA would, print one line, hold it until the time is up or SIGTERM."""
    folder = Path(os.environ.get("MIGSIM_DIR", ""))
    if not (folder / "state").exists():
        raise SimError("MIGSIM_DIR names no simulated machine: eval the lines that `new` prints")
    dev = Path(os.environ.get("SLURM_MIG_ROOT", "/")) / "dev"
    steps = parse_steps(memory, activity)
    choose = cuda.choose_gpu if kind == "client" else cuda.choose
    device = choose(library.show(folder), dev, os.environ.get("CUDA_VISIBLE_DEVICES"))
    place = (device.gpu_index, device.gi_id, device.ci_id)
    # Blocked, and waited for: a handler could run just before a sleep, which would then go on.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    code = library.add_process(folder, os.getpid(), KINDS[kind], place, steps)
    if code != 0:
        raise SimError(f"cannot use {device.names[0]}: {name_of(code)}")
    try:
        with _seen_in_proc(dev.parent, device.files):
            print(f"using {device.names[0]} {_files(device.files)} pid {os.getpid()}", flush=True)
            stopped = signal.sigtimedwait(STOP, 1e9 if seconds is None else seconds)
    finally:
        library.call("process_remove", folder, os.getpid())
    return 0 if stopped is None else 128 + stopped.si_signo


@contextmanager
def _seen_in_proc(root: Path, files: Sequence[Path]) -> Iterator[None]:
    """Stand in the /proc below `root`, with these files open, for who looks there.

    Not where /proc is the machine's own, as on the nodes of a cluster under test.
    """
    folder = root / "proc" / str(os.getpid())
    if (folder / "stat").exists():
        yield
        return
    shutil.rmtree(folder, ignore_errors=True)  # of one that was killed and had our pid
    proc.show(folder, os.getpid(), files)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _files(files: Sequence[Path]) -> str:
    return ",".join("/dev/" + "/".join(path.parts[path.parts.index("dev") + 1 :]) for path in files)
