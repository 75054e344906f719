"""What we ask of Slurm's accounting database, and the nouns of its answers. Pure.

One adapter keeps to this port, sacct and sacctmgr (slurm.controller.sacct). Every call may raise
SlurmNotAnswering or SlurmRefused. Times are in seconds since 1970.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from slurm_mig.slurm.version import SlurmVersion

# Before, sacctmgr makes every comment lower case (CHANGELOG/slurm-23.02.md, 23.02.0).
KEEPS_CASE = SlurmVersion(23, 2, 0)


class HostFigures(NamedTuple):
    """What a job of one node had and used of the host; each None where it is not known."""

    cpus: int | None
    memory_bytes: int | None
    used_memory_bytes: int | None
    cpu_time_s: float | None


class AccountedJob(NamedTuple):
    """The last run of a job. `end` is None while it runs, `start` before.

    `job_id` is Slurm's own number, `shown` what names only this job: of a task of an array "7_2".
    The number of one task is that of the array too, and would mean all of them.
    `gpus` is how many gres/gpu it had, where the site accounts them. `host` is there only for a
    job of one node: Slurm does not account by node.
    """

    job_id: int
    shown: str
    start: float | None
    end: float | None
    nodes: tuple[str, ...]
    gpus: int | None
    comment: str
    host: HostFigures | None


class Accounting(Protocol):
    """The database. `cluster` is a cluster's name; None means the one this machine is of."""

    def version(self) -> SlurmVersion:
        """Of the commands, or the library, that change comments."""

    def jobs(self, job_ids: Sequence[int], cluster: str | None) -> Mapping[int, AccountedJob]:
        """Those of these jobs that it knows."""

    def set_admin_comment(self, shown: str, cluster: str | None, text: str) -> None:
        """Replace the AdminComment of the job of that name. SlurmRefused where there is none."""
