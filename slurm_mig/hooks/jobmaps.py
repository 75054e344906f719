"""Which job has which slice, as other programs read it.

jobstats: /run/gpustat/<UUID> holds "JOBID UID" (its slurm/prolog.d/gpustats_helper.sh).
DCGM exporter: <folder>/<gpu>.<gi>, or <gpu> for a whole one, holds a job id a line; an empty
line counts as a job, and a draft must not look like <digits>[.<digits>] (its hpc.go).
"""

import posix as os

from slurm_mig.hooks.settings import Settings
from slurm_mig.hooks.slices import Slice
from slurm_mig.system import rootfiles

_LIMIT = 1 << 16


def add(root: str, settings: Settings, slices: tuple[Slice, ...], job_id: int, uid: int) -> None:
    """Write the maps that are switched on. Raises OSError or HookError. Hold the lock."""
    if settings.gpustat_dir:
        with _Folder(root, settings.gpustat_dir) as folder:
            for one in slices:
                text = f"{job_id} {uid}\n".encode()
                rootfiles.replace_file(folder, _file_name(one), text, 0o644)
    if settings.dcgm_job_mapping_dir:
        with _Folder(root, settings.dcgm_job_mapping_dir) as folder:
            for name in _dcgm_names(slices):
                _write_jobs(folder, name, _jobs(folder, name) | {str(job_id)})


def remove(root: str, settings: Settings, slices: tuple[Slice, ...], job_id: int) -> None:
    """Take this job out of the maps. Raises OSError or HookError. Hold the lock."""
    if settings.gpustat_dir:
        with _Folder(root, settings.gpustat_dir) as folder:
            for one in slices:
                if _owner(folder, _file_name(one)) == str(job_id):
                    rootfiles.remove(folder, _file_name(one))
    if settings.dcgm_job_mapping_dir:
        with _Folder(root, settings.dcgm_job_mapping_dir) as folder:
            for name in _dcgm_names(slices):
                if str(job_id) in (jobs := _jobs(folder, name)):
                    _write_jobs(folder, name, jobs - {str(job_id)})


class _Folder:
    """A folder for others to read, made if missing, open for a while."""

    def __init__(self, root: str, path: str) -> None:
        self._handle = rootfiles.open_folder(root, path, make=0o755)

    def __enter__(self) -> int:
        return self._handle

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)


def _file_name(one: Slice) -> str:
    return one.uuid.replace("/", "_")  # drivers before 470.42.01: MIG-GPU-.../gi/ci


def _dcgm_names(slices: tuple[Slice, ...]) -> set[str]:
    return {
        f"{one.gpu_index}" if one.mig is None else f"{one.gpu_index}.{one.mig.gi_id}"
        for one in slices
    }


def _owner(folder: int, name: str) -> str:
    try:
        words = rootfiles.read_file(folder, name, _LIMIT).split()
    except FileNotFoundError:
        return ""
    return words[0].decode("ascii", "replace") if words else ""


def _jobs(folder: int, name: str) -> set[str]:
    """Several jobs share a GPU instance when they are on compute instances of it."""
    try:
        return set(rootfiles.read_file(folder, name, _LIMIT).decode("ascii", "replace").split())
    except FileNotFoundError:
        return set()


def _write_jobs(folder: int, name: str, jobs: set[str]) -> None:
    if jobs:
        rootfiles.replace_file(folder, name, "\n".join(sorted(jobs)).encode(), 0o644)
    else:
        rootfiles.remove(folder, name)
