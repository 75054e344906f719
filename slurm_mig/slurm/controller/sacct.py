"""The accounting port over sacct and sacctmgr, of every release that we serve."""

import re
import secrets
from collections.abc import Mapping, Sequence

from slurm_mig.errors import SlurmError, UsageError
from slurm_mig.slurm import scontrol
from slurm_mig.slurm.controller import sacct_text
from slurm_mig.slurm.controller.accounting import AccountedJob
from slurm_mig.slurm.version import SlurmVersion

TIMEOUT_S = 60.0  # a database with years of jobs in it takes its time
_SHOWN = re.compile(r"[0-9]+(?:[_+][0-9]+)?")
_CLUSTER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class SacctAccounting:
    """As slurm.controller.accounting.Accounting. `path` is where the commands are looked for."""

    def __init__(self, path: str | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self._path, self._timeout_s = path, timeout_s

    def version(self) -> SlurmVersion:
        """As the port."""
        try:
            return SlurmVersion.parse(self._ask(["sacctmgr", "-V"]))
        except UsageError as why:
            raise SlurmError(f"`sacctmgr -V` tells no version: {why}") from None

    def jobs(self, job_ids: Sequence[int], cluster: str | None) -> Mapping[int, AccountedJob]:
        """As the port."""
        if not job_ids:
            return {}
        separator = f"x{secrets.token_hex(12)}"
        asked = ["sacct", "--noheader", "--parsable", f"--delimiter={separator}"]
        asked += [f"--format={','.join(sacct_text.FIELDS)}"]
        asked += [f"--jobs={','.join(str(int(job_id)) for job_id in job_ids)}"]
        if cluster is not None:
            asked += [f"--clusters={_checked(cluster)}"]
        found = sacct_text.jobs(self._ask(asked), separator)
        # Of an array, and of a heterogeneous job, all parts come along.
        return {job_id: found[job_id] for job_id in job_ids if job_id in found}

    def set_admin_comment(self, shown: str, cluster: str | None, text: str) -> None:
        """As the port."""
        if not _SHOWN.fullmatch(shown):
            raise SlurmError(f"{shown!a} is no name of one job")
        which = [f"jobid={shown}"]
        if cluster is not None:
            which += [f"cluster={_checked(cluster)}"]
        change = ["sacctmgr", "--immediate", "update", "job", "where", *which]
        self._ask([*change, "set", f"AdminComment={text}"])

    def _ask(self, words: Sequence[str]) -> str:
        return scontrol.ask(words, self._timeout_s, self._path)


def _checked(cluster: str) -> str:
    """A cluster's name comes from a record, and must be no list and no option."""
    if not _CLUSTER.fullmatch(cluster):
        raise SlurmError(f"{cluster!a} is no name of a cluster")
    return cluster
