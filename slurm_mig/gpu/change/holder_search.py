"""Looking for who is on the GPUs: by NVML's lists, and by open device files.

NVML lists who computes or draws; only open files show who merely has the GPU open (DCGM, nvsm,
nvidia-persistenced, somebody's nvitop), and that is enough to block a change of MIG mode, a
reset, and the first GPU instance.
"""

import os
import pwd
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from slurm_mig.errors import CapsError, NvmlError
from slurm_mig.gpu.change.holders import Holder, Sight
from slurm_mig.gpu.driver.caps import Caps, read_caps
from slurm_mig.gpu.driver.names import NVIDIA_MAJOR, cap_path, gpu_path
from slurm_mig.gpu.nvml.processes import NvmlProcesses
from slurm_mig.gpu.partitioning import LiveGpu
from slurm_mig.model import CiId, GiId, GpuMinor
from slurm_mig.system import cgroups
from slurm_mig.system.printable import command_line
from slurm_mig.system.processes import Search, real_uid, start_and_name


class _Place(NamedTuple):
    gpu_uuid: str
    gi_id: GiId | None = None
    ci_id: CiId | None = None


def look(root: Path, gpus: Sequence[LiveGpu], nvml: NvmlProcesses, limit_s: float) -> Sight:
    """Everybody on these GPUs, but ourselves. Raises nothing of its own."""
    unseen: list[str] = []
    by_files, by_nvml = _by_files(root, gpus, limit_s, unseen), _by_nvml(gpus, nvml, unseen)
    listed = {pid for pid, _ in by_nvml}
    found = [_describe(root, *one) for one in _without_doubles(by_files + by_nvml)]
    # Gone from /proc: it has ended, or it is of another name space of processes. Then NVML's
    # word is enough to refuse.
    there = (one for one in found if one.start is not None or one.pid in listed)
    return Sight(tuple(there), tuple(unseen))


def _by_nvml(
    gpus: Sequence[LiveGpu], nvml: NvmlProcesses, unseen: list[str]
) -> list[tuple[int, _Place]]:
    found = []
    for gpu in gpus:
        try:
            listed = nvml.processes(gpu.info.gpu_index)
        except NvmlError as error:
            unseen.append(f"the processes on it could not be listed: {error}")
            continue
        found += [(one.pid, _Place(gpu.info.uuid, one.gi_id, one.ci_id)) for one in listed]
    return found


def _by_files(
    root: Path, gpus: Sequence[LiveGpu], limit_s: float, unseen: list[str]
) -> list[tuple[int, _Place]]:
    try:
        devices = dict(_devices(root, gpus))
        return _open_files(root, devices, limit_s, unseen)
    except (CapsError, OSError) as error:
        unseen.append(f"who has the GPUs' device files open could not be seen: {error}")
        return []


_Device = tuple[str, int, int]


def _devices(root: Path, gpus: Sequence[LiveGpu]) -> Iterator[tuple[_Device, _Place]]:
    """Every device node by which a process can have these GPUs, and what it is of."""
    caps = read_caps(root) if any(gpu.instances for gpu in gpus) else None
    for gpu in gpus:
        minor = gpu.info.gpu_minor
        yield (gpu_path(minor), NVIDIA_MAJOR, minor), _Place(gpu.info.uuid)
        for gi in gpu.instances if caps is not None else ():
            yield _cap(caps, minor, gi.gi_id), _Place(gpu.info.uuid, gi.gi_id)
            for ci in gi.cis:
                place = _Place(gpu.info.uuid, gi.gi_id, ci.ci_id)
                yield _cap(caps, minor, gi.gi_id, ci.ci_id), place


def _cap(caps: Caps | None, gpu_minor: GpuMinor, gi_id: GiId, ci_id: CiId | None = None) -> _Device:
    if caps is None or caps.major is None:
        raise CapsError("/proc/devices has no nvidia-caps: load the nvidia module, or reboot")
    minor = caps.minor(gpu_minor, gi_id, ci_id)
    return cap_path(minor), caps.major, minor


def _open_files(
    root: Path, devices: dict[_Device, _Place], limit_s: float, unseen: list[str]
) -> list[tuple[int, _Place]]:
    places = {os.makedev(major, minor): place for (_, major, minor), place in devices.items()}
    search = Search(str(root), tuple(devices))
    found, hidden = [], 0
    for pid in search.pids(limit_s):
        try:
            held = search.held(pid)
        except (FileNotFoundError, ProcessLookupError):  # it has ended
            continue
        except OSError:
            hidden += 1
            continue
        found += [(pid, places[device]) for device in held]
    if search.timed_out:
        unseen.append(f"not every process could be looked at in {limit_s:g} s: run it again")
    if hidden:
        unseen.append(f"{hidden} of the processes do not show their open files: run as root")
    return found


def _without_doubles(places: list[tuple[int, _Place]]) -> list[tuple[int, _Place]]:
    """Each process once for each compute instance: what lies around it says nothing more.

    Who uses a slice has the GPU and the GPU instance open too.
    """
    own = os.getpid()
    distinct = {(pid, place) for pid, place in places if pid != own}
    around = {
        (pid, outer)
        for pid, place in distinct
        if place.gi_id is not None
        for outer in (_Place(place.gpu_uuid), _Place(place.gpu_uuid, place.gi_id))
        if outer != place
    }
    return sorted(distinct - around, key=_order)


def _order(one: tuple[int, _Place]) -> tuple[int, str, int, int]:
    pid, (uuid, gi_id, ci_id) = one
    return pid, uuid, -1 if gi_id is None else gi_id, -1 if ci_id is None else ci_id


def _describe(root: Path, pid: int, place: _Place) -> Holder:
    folder = root / "proc" / str(pid)
    told, uid = start_and_name(str(root), pid), real_uid(str(folder))
    if told is None or uid is None:
        unknown = "not in this machine's /proc, or just ended"
        return Holder(pid, None, None, "an unknown user", unknown, None, None, *place)
    cgroup = cgroups.text(str(root), str(pid))
    return Holder(
        pid=pid,
        start=told[0],
        uid=uid,
        user=_user(uid),
        command=command_line(_command(folder), told[1]),
        job=cgroups.job_of(cgroup),
        service=cgroups.service_of(cgroup),
        gpu_uuid=place.gpu_uuid,
        gi_id=place.gi_id,
        ci_id=place.ci_id,
    )


def _command(folder: Path) -> bytes:
    try:
        with (folder / "cmdline").open("rb") as file:
            return file.read(4096)
    except OSError:
        return b""


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
