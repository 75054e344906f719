"""The state of the node's gres map, read again only where a file has changed."""

import binascii
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from slurm_mig.errors import HookError
from slurm_mig.system import epoch, rootfiles
from slurm_mig.system.ownlines import own_lines
from slurm_mig.usage.metrics.sources import MapSlice, MapState

_NAME = "gres-map.json"
_LIMIT = 4 << 20

Map = dict[str, Any]


class _Read(NamedTuple):
    """What was read of a file, and by what to see whether it is still the same."""

    stamp: tuple[int, int, int]
    value: Any


class MapReader:
    """Looks at the map whenever it is asked."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._map: _Read | None = None
        self._conf: _Read | None = None

    def state(self) -> MapState:
        """As it is now; never raises."""
        try:
            found = self._load()
            if found["boot_id"] != epoch.boot_id(str(self._root)):
                return MapState(stale=True)
            if found["generation"] != epoch.generation(str(self._root)):
                return MapState(stale=True)
            slices = tuple(map(_slice, found["gres"]))
            return MapState(False, self._changed(found), slices)
        except (FileNotFoundError, HookError, ValueError, KeyError, TypeError, AttributeError):
            return MapState(stale=True)
        except OSError:
            return MapState()

    def _load(self) -> Map:
        folder = rootfiles.open_folder(str(self._root), epoch.FOLDER)
        try:
            stamp = _stamp(os.stat(_NAME, dir_fd=folder, follow_symlinks=False))
            if self._map is None or self._map.stamp != stamp:
                self._map = _Read(stamp, json.loads(rootfiles.read_file(folder, _NAME, _LIMIT)))
        finally:
            os.close(folder)
        found: Map = self._map.value
        return found

    def _changed(self, the_map: Map) -> bool | None:
        """Whether gres.conf says other things to the node than when the map was made."""
        told: Map | None = the_map.get("gres_conf")
        if told is None:
            return None
        path = Path(told["path"])  # as slurmd has it: it may lie anywhere
        try:
            found = path.stat()
            if found.st_mtime_ns == told["mtime_ns"]:
                return False
            stamp = _stamp(found)
            if self._conf is None or self._conf.stamp != stamp:
                own = own_lines(path.read_bytes(), the_map["node"])
                self._conf = _Read(stamp, binascii.crc32(own))
        except OSError:
            return True
        return bool(self._conf.value != told["crc32"])


def _stamp(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_mtime_ns, found.st_ino, found.st_size


def _slice(entry: Map) -> MapSlice:
    mig = entry["mig"] or {}
    return MapSlice(
        int(entry["gpu_index"]),
        int(entry["gpu_minor"]),
        str(entry["gpu_uuid"]),
        str(entry["gpu_name"]),
        str(entry["type"]),
        int(entry["gres_index"]),
        mig.get("gi_id"),
        mig.get("ci_id"),
        mig.get("profile"),
        mig.get("uuid"),
        mig.get("memory_mib"),
    )
