"""Slices that a job may have had though Slurm named only those of its last type to the hooks."""

from slurm_mig.hooks import gres_map, machine
from slurm_mig.hooks.environment import Job
from slurm_mig.hooks.registry import Registry
from slurm_mig.hooks.slices import Slice


def slices(root: str, registry: Registry, job: Job, named: tuple[Slice, ...]) -> tuple[Slice, ...]:
    """Those of other types that no job is known to have. Raises OSError or HookError.

    None while another job of the same user runs whose slices are not all known either: what
    somebody holds outside any cgroup could be that one's.
    """
    if any(
        _is_of_user(registry, other, job.uid)
        for other in registry.incomplete()
        if other != job.job_id
    ):
        return ()
    the_map = gres_map.load(root)
    if machine.why_stale(root, the_map):
        return ()
    types = {one.type for one in named}
    others = (one for one in the_map.slices if one.type not in types)
    return tuple(one for one in others if registry.holder(one.name) is None)


def _is_of_user(registry: Registry, job_id: int, uid: int | None) -> bool:
    begun = (registry.record(job_id) or {}).get("record")
    return not isinstance(begun, dict) or begun.get("uid") == uid
