"""Records that may lack slices, completed from what the job can open, while it runs.

A plain Prolog runs before the job has a cgroup and its Epilog after, so the hooks of later
jobs look on their way: a child process steps into the job's cgroup and tries to open each
slice. What nobody could look at stays marked `complete: false`.
"""

from slurm_mig.errors import HookError
from slurm_mig.hooks import gres_map, machine, probe
from slurm_mig.hooks.binding import from_opening
from slurm_mig.hooks.log import CRITICAL, Line
from slurm_mig.hooks.opening import identities
from slurm_mig.hooks.registry import Content, Registry
from slurm_mig.hooks.slices import GresMap, Slice
from slurm_mig.system import cgroups, within

_MOST = 4  # of one run: it is another job that waits for us
_LOOK_S = 1.0


def others(root: str, registry: Registry, own_job_id: int, line: Line) -> None:
    """Complete a few records of other jobs. Raises OSError or HookError."""
    waiting = [job_id for job_id in registry.incomplete() if job_id != own_job_id][:_MOST]
    if not waiting:
        return
    the_map = gres_map.load(root)
    if machine.why_stale(root, the_map) or not the_map.constrained:
        return
    for job_id in waiting:
        found = registry.record(job_id)
        opened = _look(root, job_id, found, the_map) if found else None
        if found and opened is not None:
            _complete(registry, job_id, found, opened, the_map, line)


def _look(root: str, job_id: int, found: Content, the_map: GresMap) -> frozenset[int] | None:
    """What the job can open; None when it has no cgroup that could be asked."""
    about = found.get("record")
    uid = about.get("uid") if isinstance(about, dict) else None
    sluid = found.get("sluid")
    folders = cgroups.job_folders(
        root,
        job_id,
        uid if isinstance(uid, int) else None,
        sluid if isinstance(sluid, str) else None,
    )
    for folder in folders:
        leaf = within.leaf(folder)
        opened = from_inside(root, leaf, the_map) if leaf else None
        if opened is not None:
            return opened
    return None


def from_inside(root: str, cgroup: str, the_map: GresMap) -> frozenset[int] | None:
    """What a process in that cgroup can open; None when it could not be asked in time."""
    told = within.ask(cgroup, lambda: _openable(root, the_map), _LOOK_S)
    return None if told is None else frozenset(map(int, told.split()))


def _openable(root: str, the_map: GresMap) -> bytes:
    return " ".join(map(str, sorted(probe.opened(root, the_map)))).encode()


def _complete(
    registry: Registry,
    job_id: int,
    found: Content,
    opened: frozenset[int],
    the_map: GresMap,
    line: Line,
) -> None:
    """Write the record with all its slices, and bind those that it lacked."""
    registry.lock()
    try:
        if registry.record(job_id) != found:  # it ended meanwhile
            return
        registry.mark_incomplete(job_id, incomplete=False)
        bound = from_opening(_gpus(found), the_map, opened)
        others = [one.name for one in bound.slices if _is_anothers(registry, one, job_id)]
        others += [one.name for one in bound.foreign]
        if others:
            line.warn(f"ISOLATION BREACH: job {job_id} can open {','.join(others)}", CRITICAL)
            return
        record = {**_record(found), "slices": identities(the_map, bound.slices), "complete": True}
        for one in bound.slices:
            if registry.holder(one.name) is None:
                registry.bind(one.name, _binding(job_id, found, the_map))
        entries = [one.entry for one in bound.slices]
        registry.write_record(job_id, {**found, "record": record, "gres": entries})
        line.put(completed=job_id)
    except HookError as error:
        line.warn(f"job {job_id}: {error}")
    finally:
        registry.unlock()


def _is_anothers(registry: Registry, one: Slice, job_id: int) -> bool:
    held = registry.holder(one.name)
    return held is not None and held.get("job_id") != job_id


def _binding(job_id: int, found: Content, the_map: GresMap) -> Content:
    record = _record(found)
    return {
        "job_id": job_id,
        "uid": record.get("uid"),
        "sluid": found.get("sluid"),
        "start": record.get("start"),
        "boot_id": the_map.boot_id,
    }


def _gpus(found: Content) -> str:
    """The slices that the record has, as SLURM_JOB_GPUS names them."""
    entries = found["gres"]
    assert isinstance(entries, list)  # noqa: S101 (Registry.record looked)
    return ",".join(str(one["gres_index"]) for one in entries)


def _record(found: Content) -> Content:
    record = found["record"]
    assert isinstance(record, dict)  # noqa: S101 (Registry.record looked)
    return record
