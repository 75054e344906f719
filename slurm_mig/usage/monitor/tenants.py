"""Whose a process on a slice is: what NVML lists is a number, and numbers are soon another's."""

from typing import NamedTuple

from slurm_mig.gpu.nvml.usage_port import UsedBy
from slurm_mig.system import cgroups
from slurm_mig.system.processes import real_uid, start_and_name
from slurm_mig.usage.monitor.jobs import OpenJob


class Tenant(NamedTuple):
    """A process, and the job that its cgroup names (number or SLUID)."""

    start_ticks: int
    name: str
    uid: int | None
    job: str | None


class Tenants:
    """Processes that were seen in the last round: no more is remembered."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._known: dict[int, Tenant] = {}
        self._tracking: bool | None = None

    def learn(self, listed: list[UsedBy]) -> None:
        """Look at those that are new, and forget those that are not there any more."""
        self._tracking = None
        self._known = {one.pid: found for one in listed if (found := self._look(one.pid))}

    def of(self, job: OpenJob, pid: int) -> Tenant | None:
        """The process, if it is the job's: by its cgroup; by its user where Slurm uses none."""
        found = self._known.get(pid)
        if found is None:
            return None
        if found.job is not None:
            return found if found.job in job.names else None
        mine = not self._in_cgroups() and found.uid is not None and found.uid == job.uid
        return found if mine else None

    def _look(self, pid: int) -> Tenant | None:
        told = start_and_name(self._root, pid)
        if told is None:
            return None
        known = self._known.get(pid)
        if known is not None and known.start_ticks == told[0] and known.job is not None:
            return known
        uid = real_uid(f"{self._root}/proc/{pid}")
        job = cgroups.job_of(cgroups.text(self._root, str(pid)))
        return Tenant(told[0], told[1], uid, job)

    def _in_cgroups(self) -> bool:
        if self._tracking is None:
            self._tracking = cgroups.is_tracking(self._root)
        return self._tracking
