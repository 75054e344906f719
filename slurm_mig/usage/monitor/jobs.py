"""The jobs that hold slices now, as the prologs wrote them down: /run/slurm-mig/jobs."""

import json
import os
from typing import Any, NamedTuple

from slurm_mig.errors import HookError
from slurm_mig.system import rootfiles
from slurm_mig.system.epoch import FOLDER
from slurm_mig.usage.sums import Key

_LIMIT = 1 << 20


class HeldSlice(NamedTuple):
    """A slice as the job's record names it; gi_id and ci_id None: a whole GPU."""

    gpu_uuid: str
    gpu_minor: int
    gpu_name: str | None
    gi_id: int | None
    ci_id: int | None
    profile: str | None
    type: str
    gres_index: int
    mig_uuid: str | None
    memory_mib: int | None

    @property
    def key(self) -> Key:
        """Who it is in a job's sums."""
        gi_id, ci_id = self.gi_id, self.ci_id
        return self.gpu_minor, -1 if gi_id is None else gi_id, -1 if ci_id is None else ci_id

    @property
    def name(self) -> str:
        """As the hooks name it."""
        instance = "" if self.gi_id is None else f".gi{self.gi_id}.ci{self.ci_id}"
        return f"gpu{self.gpu_minor}{instance}"


class OpenJob(NamedTuple):
    """A job whose prolog has run here and whose epilog has not."""

    job_id: int
    record_id: str
    uid: int | None
    user: str | None
    account: str | None
    partition: str | None
    node: str | None
    sluid: str | None
    start_s: float | None
    complete: bool
    slices: tuple[HeldSlice, ...]

    @property
    def name(self) -> str:
        """Of its hand-over file; no other run of the job has it."""
        return f"{self.job_id}.{self.record_id}"

    @property
    def names(self) -> frozenset[str]:
        """What Slurm's cgroups may call it."""
        return frozenset({str(self.job_id), self.sluid or ""} - {""})


class OpenJobs:
    """The folder, and what was read of it: a file is read again only when it is another one."""

    def __init__(self, root: str, *, make: bool = True) -> None:
        """Raises OSError or HookError when the folder cannot be had or trusted."""
        if make:
            os.close(rootfiles.open_folder(root, FOLDER, make=0o755))
        self.folder = rootfiles.open_folder(root, f"{FOLDER}/jobs", make=0o700 if make else None)
        self.all_read = True  # in the last look
        self._read: dict[str, tuple[tuple[int, int], OpenJob | None]] = {}

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self.folder)

    @property
    def is_removed(self) -> bool:
        """Whether somebody removed the folder: then another one has to be opened."""
        return os.fstat(self.folder).st_nlink == 0

    def look(self) -> dict[str, OpenJob]:
        """All of them by their names. Raises OSError. What cannot be read is not there."""
        listed = os.listdir(self.folder)  # noqa: PTH208  (an open folder, no path)
        names = [name for name in listed if name.endswith(".json")]
        self._read = {name: found for name in names if (found := self._job(name))}
        jobs = {job.name: job for _, job in self._read.values() if job is not None}
        self.all_read = len(jobs) == len(names)
        return jobs

    def _job(self, name: str) -> tuple[tuple[int, int], OpenJob | None] | None:
        try:
            stat = os.stat(name, dir_fd=self.folder, follow_symlinks=False)
            stamp = (stat.st_ino, stat.st_mtime_ns)
            if name in self._read and self._read[name][0] == stamp:
                return self._read[name]
            return stamp, parse(rootfiles.read_file(self.folder, name, _LIMIT))
        except (OSError, HookError):  # closed meanwhile
            return None


def parse(data: bytes) -> OpenJob | None:
    """The job in an open record; None where that is damaged."""
    try:
        found = json.loads(data)
        record = found["record"]
        return OpenJob(
            **{name: record.get(name) for name in ("uid", "user", "account", "partition", "node")},
            job_id=int(record["job_id"]),
            record_id=str(record["record_id"]),
            sluid=found.get("sluid"),
            start_s=record.get("start"),
            complete=record.get("complete") is True,
            slices=tuple(_slice(one) for one in record["slices"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _slice(one: dict[str, Any]) -> HeldSlice:
    gi_id = one.get("gi_id")
    return HeldSlice(
        **{name: one.get(name) for name in ("gpu_name", "profile", "mig_uuid", "memory_mib")},
        gpu_uuid=str(one["gpu_uuid"]),
        gpu_minor=int(one["gpu_minor"]),
        gi_id=None if gi_id is None else int(gi_id),
        ci_id=None if gi_id is None else int(one["ci_id"]),
        type=str(one["type"]),
        gres_index=int(one["gres_index"]),
    )
