"""An accounting database in memory, held to tests/contract/test_accounting.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slurm_mig.errors import SlurmNotAnswering, SlurmRefused
from slurm_mig.slurm.controller.accounting import AccountedJob
from slurm_mig.slurm.version import SlurmVersion


@dataclass
class FakeAccounting:
    """What slurmdbd knows. `spoils` makes comments lower case, as sacctmgr did before 23.02."""

    release: SlurmVersion = field(default_factory=lambda: SlurmVersion(24, 11, 5))
    cluster: str = "simulated"
    known: dict[int, AccountedJob] = field(default_factory=dict)
    spoils: bool = False
    down: bool = False
    refuses: set[int] = field(default_factory=set)
    written: list[int] = field(default_factory=list)
    questions: int = 0

    def add(self, job: AccountedJob) -> None:
        self.known[job.job_id] = job

    def version(self) -> SlurmVersion:
        return self.release

    def jobs(self, job_ids: Sequence[int], cluster: str | None) -> Mapping[int, AccountedJob]:
        self._answer()
        here = cluster in (None, self.cluster)
        return {job_id: self.known[job_id] for job_id in job_ids if here and job_id in self.known}

    def set_admin_comment(self, shown: str, cluster: str | None, text: str) -> None:
        self._answer()
        jobs = [job for job in self.known.values() if self._is(job, shown)]
        if cluster not in (None, self.cluster) or not jobs:
            raise SlurmRefused("Request didn't affect anything")
        for job in jobs:
            if job.job_id in self.refuses:
                raise SlurmRefused("your user doesn't have privilege to perform this action")
            comment = text.lower() if self.spoils else text
            self.known[job.job_id] = job._replace(comment=comment)
            self.written.append(job.job_id)

    def _is(self, job: AccountedJob, shown: str) -> bool:
        """An array's number means all of its tasks."""
        return shown in (job.shown, str(job.job_id)) or job.shown.startswith(f"{shown}_")

    def _answer(self) -> None:
        self.questions += 1
        if self.down:
            raise SlurmNotAnswering("Connection refused", unsent=True)
