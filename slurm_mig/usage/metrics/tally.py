"""Sums over this node's usage records of this month, each line read once.

They come from the records and not from what the monitor saw, so they are the same after its
restart. A new month begins at 0, which Prometheus takes for a counter that was reset.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from slurm_mig.errors import HookError
from slurm_mig.system import rootfiles
from slurm_mig.usage.metrics.sources import DIFFERS, EXACT, Tally

USAGE = "/var/lib/slurm-mig/usage"
_AT_ONCE = 16 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class TallyReader:
    """Sums up whenever it is asked what was appended since. Not for several threads at once."""

    def __init__(self, root: Path, now: Callable[[], float] = time.time) -> None:
        self._root, self._now = root, now
        self._file: tuple[str, int] = ("", 0)  # its name and inode
        self._offset = 0
        self._tally = Tally()

    def tally(self) -> Tally | None:
        """None where the records cannot be looked at; never raises."""
        try:
            folder = rootfiles.open_folder(str(self._root), USAGE)
        except FileNotFoundError:
            return Tally()
        except (OSError, HookError):
            return None
        try:
            return self._of(folder, time.strftime("%Y-%m.jsonl", time.gmtime(self._now())))
        except FileNotFoundError:
            return Tally()
        except OSError:
            return None
        finally:
            os.close(folder)

    def _of(self, folder: int, name: str) -> Tally:
        handle = os.open(name, _READ, dir_fd=folder)
        try:
            found = os.fstat(handle)
            if (name, found.st_ino) != self._file or found.st_size < self._offset:
                self._file, self._offset, self._tally = (name, found.st_ino), 0, Tally()
            while data := os.pread(handle, _AT_ONCE, self._offset):
                whole = data[: data.rfind(b"\n") + 1]
                # A line that never ends is of nobody's making: it must not be read for ever.
                self._offset += len(whole) or (len(data) if len(data) == _AT_ONCE else 0)
                for line in whole.splitlines():
                    self._tally = added(self._tally, line)
                if not whole and len(data) < _AT_ONCE:
                    break
        finally:
            os.close(handle)
        return self._tally


def added(tally: Tally, line: bytes) -> Tally:
    """With one record more; a line that is none counts for nothing."""
    try:
        record = json.loads(line)
        if record["version"] != 1:
            return tally
        leftovers = int(record["leftovers"] or 0)
        moved = sum(one["repartitioned"] is True for one in record["slices"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return tally
    found = _looked(record)
    return Tally(
        tally.records + 1,
        tally.leftovers + leftovers,
        tally.repartitioned + moved,
        tally.exact + (found == EXACT),
        tally.differs + (found == DIFFERS),
        tally.unknown + (found not in (EXACT, DIFFERS)),
    )


def _looked(record: Mapping[str, Any]) -> object:
    check = record.get("device_check")
    return check.get("result") if isinstance(check, dict) else None
