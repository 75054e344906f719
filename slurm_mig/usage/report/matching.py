"""Which rows a report is about, where no database says so: the same as query.rows(). Pure."""

from slurm_mig.usage.store.asking import WHOLE_GPU, Filters
from slurm_mig.usage.store.nouns import Held, Job


def matches(filters: Filters, row: Held) -> bool:
    """Whether the row is one of those."""
    job = row.job
    return (
        _in_time(filters, job.end)
        and _one_of(filters.accounts, job.account)
        and _one_of(filters.partitions, job.partition)
        and _one_of(filters.clusters, job.cluster)
        and _one_of(filters.nodes, job.node)
        and _one_of(filters.profiles, row.slice.profile or WHOLE_GPU)
        and _of_users(filters.users, job)
        and (not filters.job_ids or job.job_id in filters.job_ids)
    )


def _in_time(filters: Filters, end: float | None) -> bool:
    if filters.since is None and filters.until is None:
        return True
    if end is None:
        return False
    after = filters.since is None or filters.since <= end
    return after and (filters.until is None or end < filters.until)


def _one_of(wanted: tuple[str, ...], found: str | None) -> bool:
    return not wanted or found in wanted


def _of_users(wanted: tuple[str, ...], job: Job) -> bool:
    return not wanted or job.user in wanted or (job.uid is not None and str(job.uid) in wanted)
