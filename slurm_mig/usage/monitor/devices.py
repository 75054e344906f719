"""Whether a job's device cgroup admits exactly its slices: looked at from outside, once a job.

A child process steps into the job's cgroup and tries to open each slice of the node. What it
finds is told, never acted on. A difference counts when it is seen twice: a cgroup is there for a
moment before Slurm constrains it.
"""

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from slurm_mig.errors import HookError
from slurm_mig.system import cgroups, epoch, opening, rootfiles, within
from slurm_mig.usage.monitor.jobs import OpenJob

EXACT, DIFFERS, UNKNOWN = "exact", "differs", "unknown"
_MAP = "gres-map.json"
_LIMIT = 4 << 20
_LOOK_S = 1.0
_NO_CGROUP = "the job had no cgroup that could be asked"


class DeviceCheck(NamedTuple):
    """What came of it; slices are named as the hooks name them."""

    result: str
    extra: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    why: str | None = None

    def text(self) -> bytes:
        """As it stands in the record."""
        told = {**self._asdict(), "extra": list(self.extra), "missing": list(self.missing)}
        return json.dumps(told).encode()


def read(text: bytes) -> DeviceCheck | None:
    """What `text()` wrote; None for anything else."""
    try:
        told = json.loads(text)
        extra, missing = tuple(told["extra"]), tuple(told["missing"])
        return DeviceCheck(str(told["result"]), extra, missing, told["why"])
    except (ValueError, KeyError, TypeError):
        return None


class MapOfSlices(NamedTuple):
    """All slices of the node: name -> the files that tell it from its neighbours, and its type."""

    boot_id: str
    generation: int
    constrained: bool | None
    files: Mapping[str, tuple[str, ...]]
    types: Mapping[str, str]


class Looker:
    """Looks into cgroups; the gres map is read again only when it is another one."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._stamp: tuple[int, int] | None = None
        self._map: MapOfSlices | None = None

    def look(self, job: OpenJob, held_by_others: frozenset[str]) -> DeviceCheck:
        """What the job can open now. Raises nothing."""
        try:
            the_map = self._current()
            folders = cgroups.job_folders(self._root, job.job_id, job.uid, job.sluid)
            leaves = [leaf for folder in folders if (leaf := within.leaf(folder))]
            for leaf in leaves:
                told = within.ask(leaf, lambda: self._openable(the_map), _LOOK_S)
                if told is not None:
                    opened = frozenset(told.decode().split())
                    return compare(job, opened, held_by_others | _named(job, the_map))
        except (OSError, HookError) as error:
            return DeviceCheck(UNKNOWN, why=str(error))
        return DeviceCheck(UNKNOWN, why=_NO_CGROUP)

    def _openable(self, the_map: MapOfSlices) -> bytes:
        root = self._root.rstrip("/")
        names = [
            name
            for name, files in the_map.files.items()
            if all(opening.opens(f"{root}{path}") for path in files)
        ]
        return " ".join(names).encode()

    def _current(self) -> MapOfSlices:
        """HookError where no map says what slices there are now."""
        the_map = self._read()
        now = (epoch.boot_id(self._root), epoch.generation(self._root))
        if (the_map.boot_id, the_map.generation) != now:
            raise HookError("the gres map is of an earlier partitioning: restart slurmd")
        if the_map.constrained is False:
            raise HookError("cgroup.conf does not constrain devices here: see `slurm-mig doctor`")
        return the_map

    def _read(self) -> MapOfSlices:
        folder = rootfiles.open_folder(self._root, epoch.FOLDER)
        try:
            stat = os.stat(_MAP, dir_fd=folder, follow_symlinks=False)
            stamp = (stat.st_ino, stat.st_mtime_ns)
            if self._map is None or stamp != self._stamp:
                self._map = parse(rootfiles.read_file(folder, _MAP, _LIMIT))
                self._stamp = stamp
        finally:
            os.close(folder)
        return self._map


def parse(data: bytes) -> MapOfSlices:
    """What of the gres map is needed here; HookError where it is damaged."""
    try:
        found = json.loads(data)
        files = {_name(one): _own_files(one) for one in found["gres"]}
        constrained = found.get("constrained")
        types = {_name(one): str(one["type"]) for one in found["gres"]}
        return MapOfSlices(found["boot_id"], found["generation"], constrained, files, types)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise HookError("the gres map is damaged: run `slurm-mig gres-map`") from None


def _named(job: OpenJob, the_map: MapOfSlices) -> frozenset[str]:
    """Slices of the types that Slurm named to the hooks: of these it names all of a job's."""
    types = {one.type for one in job.slices}
    return frozenset(name for name, kind in the_map.types.items() if kind in types)


def compare(job: OpenJob, opened: frozenset[str], others: frozenset[str]) -> DeviceCheck:
    """What could be opened against what the record names. Pure.

    Where Slurm may not have named all of a job's slices, a further one may be its own, unless it
    is one of `others`.
    """
    own = frozenset(one.name for one in job.slices)
    extra, missing = sorted(opened - own), sorted(own - opened)
    if not extra and not missing:
        return DeviceCheck(EXACT)
    if not missing and not job.complete and not others & set(extra):
        why = "Slurm may not have named all of the job's slices"
        return DeviceCheck(UNKNOWN, tuple(extra), (), why)
    return DeviceCheck(DIFFERS, tuple(extra), tuple(missing))


def _name(one: dict[str, Any]) -> str:
    mig = one["mig"]
    instance = "" if mig is None else f".gi{mig['gi_id']}.ci{mig['ci_id']}"
    return f"gpu{one['gpu_minor']}{instance}"


def _own_files(one: dict[str, Any]) -> tuple[str, ...]:
    paths = tuple(str(file["path"]) for file in one["files"])
    return paths[1:] or paths
