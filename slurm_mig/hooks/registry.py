"""/run/slurm-mig: which slice belongs to which job (bindings/), and the open records (jobs/).

A binding is a file named after its slice, made under a lock; a hook looks at its own slices'
files only. Everything here is of this boot: /run is empty after the next.
"""

import posix as os
import time
from fcntl import LOCK_EX, LOCK_NB, flock

from slurm_mig.errors import HookError
from slurm_mig.hooks import jsonlight
from slurm_mig.system import rootfiles
from slurm_mig.system.epoch import FOLDER

LOCK_WAIT_S = 5.0
_LIMIT = 1 << 20
_INCOMPLETE = ".incomplete"
_REFUSED = ".refused"
Content = dict[str, object]


class Registry:
    """The three folders, open. Close it; a killed hook's lock goes with it."""

    def __init__(self, root: str) -> None:
        """Raises OSError or HookError when the folders cannot be had or trusted."""
        self._handles: list[int] = []
        try:
            self.folder = self._open(root, "", 0o755)
            self.jobs = self._open(root, "/jobs", 0o700)
            self.bindings = self._open(root, "/bindings", 0o700)
        except BaseException:
            self.close()
            raise

    def _open(self, root: str, path: str, mode: int) -> int:
        self._handles.append(rootfiles.open_folder(root, f"{FOLDER}{path}", make=mode))
        return self._handles[-1]

    def close(self) -> None:
        """Let go of everything, the lock too."""
        for handle in self._handles:
            os.close(handle)
        self._handles = []

    def lock(self) -> None:
        """Have the registry to oneself, until `unlock`. HookError when that takes too long."""
        # To read: on a read-only /run a lock that is there can still be had.
        flags = os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open("lock", flags, 0o600, dir_fd=self.folder)
        self._handles.append(handle)
        wait_lock(handle, f"{FOLDER}/lock")

    def unlock(self) -> None:
        """Let the next hook in."""
        os.close(self._handles.pop())

    def holder(self, name: str) -> Content | None:
        """The binding of the slice `name`: None if there is none, empty if it is damaged.

        Raises OSError or HookError when it cannot be looked at.
        """
        return read(self.bindings, name)

    def bind(self, name: str, content: Content) -> None:
        """Raises OSError: FileExistsError when somebody has it."""
        rootfiles.new_file(self.bindings, name, jsonlight.dumps(content).encode(), 0o600)

    def release(self, name: str, job_id: int) -> bool:
        """Give a slice back, if that job has it; whether it had."""
        held = self.holder(name)
        if held is None or held.get("job_id") != job_id:
            return False
        return rootfiles.remove(self.bindings, name)

    def bound_to(self, job_id: int) -> list[str]:
        """The names of all slices that a job has: looks at every binding."""
        names = sorted(os.listdir(self.bindings))
        return [name for name in names if (self.holder(name) or {}).get("job_id") == job_id]

    def discard(self, name: str) -> None:
        """Remove a binding that is damaged: no job's. Raises OSError."""
        rootfiles.remove(self.bindings, name)

    def record(self, job_id: int) -> Content | None:
        """A job's open record (opening.py says what is in it); as `holder`."""
        found = read(self.jobs, f"{job_id}.json")
        return {} if found and not _is_whole(found) else found

    def write_record(self, job_id: int, content: Content) -> None:
        """Raises OSError."""
        data = jsonlight.dumps(content).encode()
        rootfiles.replace_file(self.jobs, f"{job_id}.json", data, 0o600)

    def drop_record(self, job_id: int) -> None:
        """Forget a job's open record. Raises OSError."""
        rootfiles.remove(self.jobs, f"{job_id}.json")
        rootfiles.remove(self.jobs, f"{job_id}{_INCOMPLETE}")

    def drop_drafts(self) -> None:
        """Remove what killed hooks had begun to write. Raises OSError. Hold the lock.

        Whoever writes here holds it too, so a draft that is there now is nobody's.
        """
        for folder in (self.jobs, self.bindings):
            for name in os.listdir(folder):
                if name.startswith("."):
                    rootfiles.remove(folder, name)

    def mark_incomplete(self, job_id: int, *, incomplete: bool) -> None:
        """Have later hooks see, or not see, that this record may lack slices. Raises OSError."""
        if incomplete:
            rootfiles.replace_file(self.jobs, f"{job_id}{_INCOMPLETE}", b"", 0o600)
        else:
            rootfiles.remove(self.jobs, f"{job_id}{_INCOMPLETE}")

    def incomplete(self) -> list[int]:
        """The jobs that are so marked, first the newest."""
        return self._jobs_with(_INCOMPLETE)

    def mark_refused(self, job_id: int) -> None:
        """Have the epilog know that this job did not start here. Raises OSError."""
        rootfiles.replace_file(self.jobs, f"{job_id}{_REFUSED}", b"", 0o600)

    def was_refused(self, job_id: int) -> bool:
        """Whether the job's last prolog here refused it."""
        return f"{job_id}{_REFUSED}" in os.listdir(self.jobs)

    def forget_refusal(self, job_id: int) -> None:
        """This job starts here after all. Raises OSError."""
        rootfiles.remove(self.jobs, f"{job_id}{_REFUSED}")

    def forget_refusals(self, before: float) -> None:
        """Of all jobs that were refused before that time (seconds since 1970). Raises OSError."""
        for job_id in self._jobs_with(_REFUSED):
            if os.stat(f"{job_id}{_REFUSED}", dir_fd=self.jobs).st_mtime < before:
                self.forget_refusal(job_id)

    def open_jobs(self) -> list[int]:
        """The jobs that have an open record, first the newest."""
        return self._jobs_with(".json")

    def _jobs_with(self, suffix: str) -> list[int]:
        names = [name for name in os.listdir(self.jobs) if name.endswith(suffix)]
        ids = [name.removesuffix(suffix) for name in names]
        return sorted((int(job_id) for job_id in ids if job_id.isdigit()), reverse=True)


def _is_whole(found: Content) -> bool:
    """Whether that is an open record of this version, with an entry of the map a slice."""
    record, gres = found.get("record"), found.get("gres")
    if found.get("version") != 1 or not isinstance(record, dict) or not isinstance(gres, list):
        return False
    slices = record.get("slices")
    alike = isinstance(slices, list) and len(slices) == len(gres)
    return alike and isinstance(record.get("record_id"), str)


def read(folder: int, name: str) -> Content | None:
    """A JSON object from a file of ours; None when there is none, empty when it is damaged."""
    try:
        data = rootfiles.read_file(folder, name, _LIMIT)
    except FileNotFoundError:
        return None
    try:
        value = jsonlight.loads(data.decode("ascii", "replace"))
    except HookError:
        return {}
    return value if isinstance(value, dict) else {}


def wait_lock(handle: int, name: str) -> None:
    """flock(2) with an end: HookError when another process keeps it for LOCK_WAIT_S."""
    end = time.monotonic() + LOCK_WAIT_S
    pause_s = 0.0005
    while True:
        try:
            return flock(handle, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise HookError(f"{name} is held by another process for too long") from None
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 0.02)
