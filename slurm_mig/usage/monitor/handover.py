"""A job's sums on the disk: /run/slurm-mig/usage/JOBID.RECORDID, for its epilog to take.

A file of fixed size, in which one half or the other is overwritten each round (sums.py says how).
Whenever this process is killed, the file holds a whole state, at most one round old.
"""

import os
from contextlib import suppress

from slurm_mig.errors import HookError
from slurm_mig.system import rootfiles
from slurm_mig.system.epoch import FOLDER
from slurm_mig.usage import sums
from slurm_mig.usage.monitor.jobs import OpenJob
from slurm_mig.usage.sums import JobSums, key_of

PLACE = f"{FOLDER}/usage"
DEVICES = ".devices"
_LIMIT = 4 << 20
_WRITE = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def folder(root: str) -> int:
    """A handle of the folder, made if it was missing. Raises OSError or HookError."""
    os.close(rootfiles.open_folder(root, FOLDER, make=0o755))
    return rootfiles.open_folder(root, PLACE, make=0o700)


class HandOver:
    """The file of one job, open."""

    def __init__(self, place: int, job: OpenJob, period_s: float) -> None:
        """Go on with what is there, or begin. Raises OSError or HookError."""
        self._place, self._name = place, job.name
        keys = [one.key for one in job.slices]
        before = _read(place, job.name)
        if before is not None and [key_of(row) for row in before.slices] == keys:
            self.sums = before
            self._handle = os.open(job.name, _WRITE, dir_fd=place)
            if os.fstat(self._handle).st_size == before.size:
                return
            os.close(self._handle)
        self.sums = sums.new(keys, period_s)
        if before is not None:
            _carry(before, self.sums)
        # All of it at once: later there may be no space left to write to.
        at, half = self.sums.seal()
        data = bytes(at) + half + bytes(self.sums.size - at - len(half))
        rootfiles.replace_file(place, job.name, data, 0o600)
        self._handle = os.open(job.name, _WRITE, dir_fd=place)

    def write(self) -> None:
        """Have the sums of now in the file. Raises OSError."""
        at, half = self.sums.seal()
        if os.pwrite(self._handle, half, at) != len(half):
            raise OSError(28, f"{PLACE}/{self._name}: no space")

    def put_devices(self, text: bytes) -> None:
        """What was seen of the job's device cgroup. Raises OSError."""
        rootfiles.replace_file(self._place, f"{self._name}{DEVICES}", text, 0o600)

    def devices(self) -> bytes | None:
        """What was seen of it already, maybe by a daemon that was killed since."""
        try:
            return rootfiles.read_file(self._place, f"{self._name}{DEVICES}", _LIMIT)
        except (OSError, HookError):
            return None

    def close(self) -> None:
        """Leave it to the epilog."""
        os.close(self._handle)


def clean(place: int, kept: set[str]) -> None:
    """Remove the files of all jobs but these: their records are closed, with what was in them."""
    for name in os.listdir(place):
        if ".".join(name.lstrip(".").split(".")[:2]) not in kept:
            with suppress(OSError):
                rootfiles.remove(place, name)


def _read(place: int, name: str) -> JobSums | None:
    try:
        return sums.read(rootfiles.read_file(place, name, _LIMIT))
    except (OSError, HookError):
        return None


def _carry(before: JobSums, after: JobSums) -> None:
    """What is known of slices and GPUs that are in both: a record may get more slices."""
    after.numbers[sums.SEQUENCE] = before.numbers[sums.SEQUENCE]
    rows = {key_of(row): row for row in before.slices}
    for row in after.slices:
        if (old := rows.get(key_of(row))) is not None:
            row.take(old, sums.SLICE)
    gpus = {row[0]: row for row in before.gpus}
    for row in after.gpus:
        if (old := gpus.get(row[0])) is not None:
            row.take(old, sums.GPU)
