"""One telling of slurmctld serves all nodes that had written slurm.conf before it began.

Tellings (`scontrol reconfigure`, a restart of slurmctld) are numbered in a file beside slurm.conf,
and none begins before the last one has ended. Whoever has written looks which number has begun,
and has not to tell when one with a higher number has come to a good end: it began after the
writing. Where a number cannot be read, or was never written, everybody tells by himself.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from slurm_mig.reconfigure.sidecar import held, sidecar

_LIMIT = 4096
_TRIES, _PAUSE_S = 10, 0.02
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Numbers(NamedTuple):
    """How many tellings have begun, and by its way the last one that came to a good end."""

    begun: int = 0
    done: Mapping[str, int] = {}


def begun(conf: Path) -> int | None:
    """The number of the last telling that has begun; None: it cannot be told.

    To be asked after slurm.conf was written. Without a lock: whoever tells has it for long.
    """
    try:
        handle = os.open(sidecar(_name(conf)), _READ)
    except FileNotFoundError:
        return 0
    except OSError:
        return None
    try:
        for _ in range(_TRIES):  # who writes it empties it first
            if (found := _read(handle)) is not None:
                return found.begun
            time.sleep(_PAUSE_S)
    finally:
        os.close(handle)
    return None


def tell(
    conf: Path,
    way: str,
    seen: int | None,
    act: Callable[[], object],
    wait_s: float,
    gather_s: float = 0.0,
) -> bool:
    """Tell slurmctld by `act`; False: another one has, since begun() said `seen`.

    `way`: what is done, for only the same will do. `seen` None: tell in any case. Who writes
    within `gather_s` is served too. Raises Refused when another one is at it for `wait_s`, and
    what `act` raises.
    """
    with held(_name(conf), wait_s, f"has slurmctld read {conf}") as handle:
        found = _read(handle)
        if found is None:  # a new file: who comes meanwhile is to find a number in it
            found = Numbers()
            _write(handle, found)
        if seen is not None and found.done.get(way, 0) > seen:
            return False
        time.sleep(gather_s)
        ours = found.begun + 1
        numbered = _write(handle, found._replace(begun=ours))
        act()
        if numbered:  # else somebody may have looked, and not seen that this one had begun
            _write(handle, Numbers(ours, {**found.done, way: ours}))
    return True


def _name(conf: Path) -> str:
    return f"{conf.resolve()}-told"


def _read(handle: int) -> Numbers | None:
    """None for what is not written yet, or by halves, or not by us."""
    try:
        found = json.loads(os.pread(handle, _LIMIT, 0))
        done = {str(way): int(number) for way, number in found["done"].items()}
        return Numbers(int(found["begun"]), done)
    except (ValueError, TypeError, KeyError, AttributeError, OSError):
        return None


def _write(handle: int, numbers: Numbers) -> bool:
    """Whether it could be: without a number the telling serves nobody else, and no more."""
    data = json.dumps({"version": 1, **numbers._asdict()}).encode()
    try:
        os.ftruncate(handle, 0)
        whole = os.pwrite(handle, data, 0) == len(data)
        os.fsync(handle)
    except OSError:
        return False
    return whole
